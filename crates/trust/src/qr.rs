//! QR codes for invitations and recovery sheets.

use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

/// The text does not fit into a QR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes do not fit into a QR code")]
pub struct TooLongForQr {
    /// How long the text is.
    pub bytes: usize,
}

fn code(text: &str) -> Result<QrCode, TooLongForQr> {
    QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| TooLongForQr { bytes: text.len() })
}

/// As SVG with a white border, to be put into a page or printed.
pub fn qr_svg(text: &str) -> Result<String, TooLongForQr> {
    Ok(code(text)?.render::<svg::Color<'_>>().min_dimensions(256, 256).build())
}

/// As half blocks for a terminal with dark background.
pub fn qr_utf8(text: &str) -> Result<String, TooLongForQr> {
    let code = code(text)?;
    let mut renderer = code.render::<unicode::Dense1x2>();
    Ok(renderer.dark_color(unicode::Dense1x2::Dark).light_color(unicode::Dense1x2::Light).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 40 holds of capitals and digits at the lowest correction.
    const CAPITALS_MAX: usize = 4296;

    #[test]
    fn a_text_becomes_a_code_up_to_its_capacity() {
        assert!(qr_svg("ORTSNETZ").unwrap().contains("<svg"));
        assert!(qr_utf8("ORTSNETZ").unwrap().contains('█'));
        assert!(qr_svg(&"A".repeat(CAPITALS_MAX)).is_ok());
        assert_eq!(qr_svg(&"A".repeat(CAPITALS_MAX + 1)).unwrap_err().bytes, CAPITALS_MAX + 1);
    }
}
