//! A batch as one frame of a log: number of the change, then its rows with sealed values.

use crate::key::Parts;

const DELETE: u8 = 1;
const OWN: u8 = 2;

/// A row of a batch, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) own: bool,
    pub(crate) key: Vec<u8>,
    /// `None` deletes.
    pub(crate) value: Option<Vec<u8>>,
}

/// The bytes of a batch.
pub(crate) fn encode<'a>(change: u64, rows: impl IntoIterator<Item = &'a Row>) -> Vec<u8> {
    let mut bytes = change.to_be_bytes().to_vec();
    for row in rows {
        bytes.push(u8::from(row.own) * OWN + u8::from(row.value.is_none()) * DELETE);
        bytes.extend((row.key.len() as u16).to_be_bytes());
        bytes.extend(&row.key);
        let value = row.value.as_deref().unwrap_or_default();
        bytes.extend((value.len() as u32).to_be_bytes());
        bytes.extend(value);
    }
    bytes
}

/// Number of the change, and the rows; `None` for bytes that are no batch.
pub(crate) fn decode(bytes: &[u8]) -> Option<(u64, Vec<Row>)> {
    let mut parts = Parts(bytes);
    let change = parts.long()?;
    let mut rows = Vec::new();
    while !parts.0.is_empty() {
        let [flags] = parts.take()?;
        let [high, low] = parts.take()?;
        let key = parts.bytes(u16::from_be_bytes([high, low]).into())?.to_vec();
        let length = parts.number()? as usize;
        let value = parts.bytes(length)?;
        let value = (flags & DELETE == 0).then(|| value.to_vec());
        rows.push(Row { own: flags & OWN != 0, key, value });
    }
    Some((change, rows))
}
