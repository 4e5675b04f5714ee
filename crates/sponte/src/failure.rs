//! What a command says when it cannot do what was asked.

use sponte_api::{Code, ErrorDetail};

/// A code of the documented table, and one line that says what to do next.
pub type Failure = ErrorDetail;

/// How a command ended that did what it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// As it should.
    Well,
    /// Its output says what went wrong; the exit code says it too.
    Told(Code),
}

/// Every command's answer.
pub type CommandResult = Result<Done, Failure>;

/// A failure whose message is made of a path and what the system said about it.
pub fn storage(doing: &str, path: &std::path::Path, why: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let path = path.display();
    let next = match why.kind() {
        ErrorKind::PermissionDenied => "make it accessible to this user",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::ReadOnlyFilesystem => "mount it writable",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "choose another folder",
        _ => "check the disk and the path",
    };
    Failure::new(Code::Storage, format!("cannot {doing} {path}: {why}; {next}"))
}
