//! How a command ends when it does not succeed.

use std::process::ExitCode;

use darkswap_node::certificate_file::CertificateFileError;
use darkswap_node::config_file::Problems;
use darkswap_node::control::{BindError, ClientError, ErrorKind};
use darkswap_node::identity::IdentityError;
use darkswap_node::wallet_file::WalletFileError;

use super::output;

/// Why a command did not succeed, and the exit code that says so to scripts.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1.
    Failed(anyhow::Error),
    /// Exit code 2.
    BadInput(anyhow::Error),
    /// Exit code 3.
    NotRunning(anyhow::Error),
    /// Who read the output has enough of it, which is no failure.
    OutputClosed,
}

impl Failure {
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(reason.into()))
    }

    pub(crate) fn bad_input(reason: impl Into<String>) -> Self {
        Self::BadInput(anyhow::Error::msg(reason.into()))
    }

    /// Tells the user and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (code, error) = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Failed(error) => (1, error),
            Self::BadInput(error) => (2, error),
            Self::NotRunning(error) => (3, error),
        };
        match error.downcast_ref::<Problems>() {
            Some(Problems(problems)) => problems.iter().for_each(|problem| output::complain(&problem.to_string())),
            None => output::complain(&format!("{error:#}")),
        }
        ExitCode::from(code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::BadInput(problems.into())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::ReadableByOthers { .. } | IdentityError::Malformed { .. } => Self::BadInput(error.into()),
            IdentityError::Io { .. } | IdentityError::Exists(_) => Self::Failed(error.into()),
        }
    }
}

impl From<CertificateFileError> for Failure {
    fn from(error: CertificateFileError) -> Self {
        match error {
            CertificateFileError::ReadableByOthers { .. } | CertificateFileError::Malformed { .. } => {
                Self::BadInput(error.into())
            }
            CertificateFileError::Io { .. } | CertificateFileError::Generate(_) => Self::Failed(error.into()),
        }
    }
}

impl From<WalletFileError> for Failure {
    fn from(error: WalletFileError) -> Self {
        match error {
            // Which files are read is what the arguments and the configuration say.
            WalletFileError::Io { action: "read", .. }
            | WalletFileError::ReadableByOthers { .. }
            | WalletFileError::Refused { .. }
            | WalletFileError::NotALine(_)
            | WalletFileError::NotWords(_) => Self::BadInput(error.into()),
            WalletFileError::Io { .. } | WalletFileError::Exists { .. } => Self::Failed(error.into()),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NotRunning(_) => Self::NotRunning(error.into()),
            ClientError::Refused(refusal)
                if matches!(refusal.kind, ErrorKind::Malformed | ErrorKind::Invalid | ErrorKind::NotTrading) =>
            {
                Self::BadInput(error.into())
            }
            ClientError::Io { .. }
            | ClientError::Broken(_)
            | ClientError::Closed
            | ClientError::NotUnderstood(_)
            | ClientError::Refused(_) => Self::Failed(error.into()),
        }
    }
}
