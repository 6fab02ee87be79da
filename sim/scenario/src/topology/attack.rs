//! What a peer that runs no node of ours does to those that do.

use super::HostIndex;

/// How a peer breaks the rules, and towards whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// What it does.
    pub kind: AttackKind,
    /// To whom.
    pub on: Vec<HostIndex>,
}

/// How a peer breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttackKind {
    /// It sends messages that become far more than they are.
    Bomb,
    /// It asks for, opens and sends as much as it can.
    Flood,
    /// It shows what is another's, and says again what was said before.
    Spoof,
    /// It waits for sessions of others, and proves with another key who it is.
    Pose,
}

impl AttackKind {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bomb => "bomb",
            Self::Flood => "flood",
            Self::Spoof => "spoof",
            Self::Pose => "pose",
        }
    }
}
