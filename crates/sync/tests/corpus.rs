//! The corpus of the fuzz target `frames` as an ordinary test: what is read can be sent again.

use std::path::Path;

use ortsnetz_sync::wire::Message;

#[test]
fn frames_read_and_written_again_are_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/frames");
    let mut read = 0;
    for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("readable");
        if let Ok(Some(message)) = Message::read(&bytes) {
            let again = Message::read(&message.frame(1)).expect("our own frame").expect("a message we know");
            assert_eq!(message, again, "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 0, "the corpus holds something valid");
}
