//! Arguments as the program means them: `PATH=VALUE`, `@file`, durations.

use std::fs;

use crate::failure::Failure;

/// Splits `PATH=VALUE`; a value `@file` is the text of that file, `@@...` begins with a literal `@`.
pub(crate) fn assignments(arguments: &[String]) -> Result<Vec<(String, String)>, Failure> {
    arguments.iter().map(|argument| assignment(argument)).collect()
}

fn assignment(argument: &str) -> Result<(String, String), Failure> {
    let Some((path, value)) = argument.split_once('=') else {
        return Err(Failure::Usage(format!("{argument}: is no PATH=VALUE, like `fees.0.amount=2800`")));
    };
    if path.trim().is_empty() {
        return Err(Failure::Usage(format!("{argument}: the path before `=` is empty")));
    }
    Ok((path.trim().to_owned(), content(value)?))
}

/// The text itself, or that of the file behind `@`, without the line break at its end.
pub(crate) fn content(value: &str) -> Result<String, Failure> {
    if let Some(literal) = value.strip_prefix("@@") {
        return Ok(format!("@{literal}"));
    }
    let Some(file) = value.strip_prefix('@') else { return Ok(value.to_owned()) };
    let bytes = fs::read(file).map_err(|error| Failure::Failed(format!("could not read {file}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::Failed(format!("{file}: invalid UTF-8 after {at} bytes; save it as UTF-8"))
    })?;
    Ok(text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text).to_owned())
}

/// `7d`, `12h`, `30m`, `90s` in milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no duration like 7d, 12h, 30m or 90s");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds * 1_000).filter(|ms| *ms > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_anything_after_the_first_equals_sign() {
        let pair = |text: &str| assignments(&[text.to_owned()]).expect("an assignment").remove(0);
        assert_eq!(pair("fees.0.amount=2800"), ("fees.0.amount".into(), "2800".into()));
        assert_eq!(pair("source.url=https://a.de/?b=c"), ("source.url".into(), "https://a.de/?b=c".into()));
        assert_eq!(pair("texts.notes.de="), ("texts.notes.de".into(), String::new()));
        assert_eq!(pair("title.de=@@home"), ("title.de".into(), "@home".into()));
        assert!(matches!(assignments(&["fees".into()]), Err(Failure::Usage(_))));
        assert!(matches!(assignments(&["=1".into()]), Err(Failure::Usage(_))));
    }

    #[test]
    fn a_file_gives_its_text() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("notes.md");
        fs::write(&file, "Bitte vorher anrufen.\n").expect("written");
        let text = content(&format!("@{}", file.display())).expect("read");
        assert_eq!(text, "Bitte vorher anrufen.");
        fs::write(&file, b"\xff").expect("written");
        assert!(content(&format!("@{}", file.display())).is_err());
        assert!(content("@/no/such/file").is_err());
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration_ms("7d"), Ok(604_800_000));
        assert_eq!(duration_ms("90s"), Ok(90_000));
        for wrong in ["", "7", "d", "-1d", "0h", "99999999999999999999d", "7ü"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }
}
