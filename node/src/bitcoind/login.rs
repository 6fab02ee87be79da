//! What the header `Authorization` says: user and password, in Base64 (RFC 7617).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use data_encoding::BASE64;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use super::error::RpcError;
use crate::config::RpcLogin;
use crate::private_file::{self, Refusal};

/// The longest login in bytes. A cookie has 75; a password with more is a mistake.
const MAX_LOGIN: u64 = 1_024;

/// A login as it is sent.
pub(super) struct Authorization {
    /// The header's value, marked as one that is not shown.
    pub(super) header: HeaderValue,
    /// Who asks, for errors: the file or the user.
    pub(super) name: String,
}

/// Reads a login.
pub(super) fn authorization(login: &RpcLogin) -> Result<Authorization, RpcError> {
    match login {
        RpcLogin::CookieFile(file) => {
            let text = read(file).map_err(|error| {
                let advice = match error.kind() {
                    io::ErrorKind::NotFound => "bitcoind writes it when it starts, unless it has rpcpassword: start it",
                    io::ErrorKind::PermissionDenied => {
                        "let the node's user read it: bitcoind's setting rpccookieperms=group"
                    }
                    _ => "set trading.bitcoind_cookie_file to the file .cookie in bitcoind's folder",
                };
                RpcError::LoginFile { file: file.clone(), reason: format!("{error}; {advice}") }
            })?;
            of_file(file, &text, "the cookie")
        }
        RpcLogin::PasswordFile(file) => {
            let text = private_file::read(file, MAX_LOGIN + 1).map_err(|refusal| {
                let reason = match refusal {
                    Refusal::Io(error) => {
                        format!("{error}; write `user:password` into it, readable for its owner only")
                    }
                    Refusal::ReadableByOthers(mode) => {
                        format!("found permissions {mode:o}, expected 600: run chmod 600 on it")
                    }
                };
                RpcError::LoginFile { file: file.clone(), reason }
            })?;
            of_file(file, &text, "the user and the password")
        }
        RpcLogin::Password { user, password } => {
            let text = Zeroizing::new(format!("{user}:{}", password.as_str()));
            Ok(Authorization { header: header(text.as_bytes()), name: format!("the password of {user}") })
        }
    }
}

/// Reads a file that may belong to others, too.
fn read(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_LOGIN + 1).unwrap_or_default()));
    File::open(file)?.take(MAX_LOGIN + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Takes the line of a file.
fn of_file(file: &Path, bytes: &[u8], noun: &str) -> Result<Authorization, RpcError> {
    let wrong = |found: &str| {
        let reason = format!("found {found}, expected one line, `user:password`");
        Err(RpcError::LoginFile { file: file.to_owned(), reason })
    };
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if bytes.len() as u64 > MAX_LOGIN {
        return wrong(&format!("more than {MAX_LOGIN} bytes"));
    }
    if line.is_empty() {
        return wrong("nothing");
    }
    if line.iter().any(u8::is_ascii_control) {
        return wrong("several lines or control characters");
    }
    if !line.contains(&b':') {
        return wrong("no colon");
    }
    Ok(Authorization { header: header(line), name: format!("{noun} in {}", file.display()) })
}

fn header(login: &[u8]) -> HeaderValue {
    let text = Zeroizing::new(format!("Basic {}", Zeroizing::new(BASE64.encode(login)).as_str()));
    let mut header = HeaderValue::from_str(&text).expect("Base64 is ASCII");
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(bytes: &[u8]) -> Result<String, String> {
        let read = of_file(Path::new("login"), bytes, "the cookie");
        read.map(|read| read.header.to_str().unwrap().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_has_one_line_of_user_and_password() {
        let expected = Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned());
        for text in ["Aladdin:open sesame", "Aladdin:open sesame\n", "Aladdin:open sesame\r\n"] {
            assert_eq!(line(text.as_bytes()), expected);
        }
        for (text, found) in [("", "nothing"), ("\n", "nothing"), ("ann", "no colon"), ("a:b\nc:d", "several lines")] {
            let error = line(text.as_bytes()).unwrap_err();
            assert!(error.contains(found) && error.contains("login"), "{error}");
        }
        assert!(line(&[b':'; 1_025]).unwrap_err().contains("more than 1024 bytes"));
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".cookie");
        for login in [RpcLogin::CookieFile(file.clone()), RpcLogin::PasswordFile(file.clone())] {
            let error = authorization(&login).err().unwrap().to_string();
            assert!(error.contains(".cookie") && (error.contains("start it") || error.contains("write")), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_others_may_read_is_refused_and_a_cookie_is_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("login");
        std::fs::write(&file, "ann:secret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = authorization(&RpcLogin::PasswordFile(file.clone())).err().unwrap().to_string();
        assert!(error.contains("640") && error.contains("chmod 600"), "{error}");
        let cookie = authorization(&RpcLogin::CookieFile(file.clone())).ok().unwrap();
        assert!(!format!("{:?}{}", cookie.header, cookie.name).contains("secret"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(authorization(&RpcLogin::PasswordFile(file)).ok().unwrap().header, cookie.header);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn arbitrary_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_100)) {
            let _ = line(&bytes);
        }

        #[test]
        fn arbitrary_logins_never_panic(user in "\\PC*", password in ".*") {
            let login = RpcLogin::Password { user, password: password.into() };
            prop_assert!(authorization(&login).is_ok());
        }
    }
}
