//! One relay that was asked for a reservation.

use crate::Time;
use crate::prefix::Prefixes;

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) prefixes: Prefixes,
    pub(super) phase: Phase,
}

/// The states of [`super`]'s table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// After its patience, another one is asked as well; `None` when it is over.
    Asked { patience: Option<Time>, until: Time },
    Held { renew: Time, expires: Time },
    Renewing { until: Time, expires: Time },
    Ending { at: Time },
    Leaving { until: Time },
}

impl Phase {
    /// Held, and to stay.
    pub(super) fn is_sound(self) -> bool {
        matches!(self, Self::Held { .. } | Self::Renewing { .. })
    }

    /// Sound, or perhaps soon.
    pub(super) fn counts(self) -> bool {
        self.is_sound() || self.is_asked()
    }

    /// Asked, and overdue.
    pub(super) fn is_late(self) -> bool {
        matches!(self, Self::Asked { patience: None, .. })
    }

    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    pub(super) fn is_announced(self) -> bool {
        self.is_sound() || matches!(self, Self::Ending { .. })
    }

    /// When time alone changes it.
    pub(super) fn deadline(self) -> Time {
        match self {
            Self::Asked { patience, until } => patience.unwrap_or(until).min(until),
            Self::Leaving { until } => until,
            Self::Renewing { until, expires } => until.min(expires),
            Self::Held { renew, expires } => renew.min(expires),
            Self::Ending { at } => at,
        }
    }
}
