//! The withdrawal of a relay that drains: nobody is to be led there any more.
//!
//! Kademlia knows no withdrawal, and a server forgets a relay half an hour after its last announcement. So a relay that drains tells the
//! servers nearest to the [`relay_key`], which are those that it announced itself to, with the notice of the
//! [load protocol](crate::relay_load) that its clients get: the connection proves who says so, and a relay withdraws nobody but itself.
//! A server that has not heard of it (it was not among the nearest when it was asked, or was down) still names the relay; whoever looks it up
//! hears of the drain when it asks how busy the relay is, and leaves it alone.

use std::time::Duration;

use libp2p::kad::store::RecordStore as _;
use libp2p::{PeerId, kad};

use super::super::Node;
use super::relay_key;
use crate::limits::fixed::dht::DRAINED;

/// The withdrawal of our own announcement.
#[derive(Debug, Default)]
pub(super) enum Withdrawal {
    /// This node does not drain.
    #[default]
    None,
    /// It does, and the servers are to be told within this time when an announcement that is still under way has ended.
    Due(Duration),
    /// The query for the servers, and what to tell them.
    Asked(kad::QueryId, Duration),
    /// They were told.
    Told,
}

impl Node {
    /// This relay serves no newcomers any more, and stops within this time: it is not announced again, and those who name it are told.
    pub(in crate::node) fn withdraw_relay(&mut self, within: Duration) {
        if matches!(self.discovery.withdrawal, Withdrawal::None) {
            self.discovery.withdrawal = Withdrawal::Due(within);
            self.announced_changed();
            self.tell_withdrawal();
        }
    }

    /// Asks who is to be told of the drain, unless that is done or an announcement may still arrive after it.
    pub(super) fn tell_withdrawal(&mut self) {
        let Withdrawal::Due(within) = self.discovery.withdrawal else { return };
        if self.discovery.announcing.is_some() {
            return;
        }
        self.discovery.withdrawal = match self.swarm.behaviour_mut().kad.as_mut() {
            Some(dht) => Withdrawal::Asked(dht.get_closest_peers(relay_key().to_vec()), within),
            None => Withdrawal::Told,
        };
    }

    /// The servers nearest to the key, if it was that query that ended. Answers whether it was.
    pub(super) fn on_withdrawal(&mut self, id: kad::QueryId, servers: &[kad::PeerInfo]) -> bool {
        let Withdrawal::Asked(query, within) = self.discovery.withdrawal else { return false };
        if query != id {
            return false;
        }
        self.discovery.withdrawal = Withdrawal::Told;
        for server in servers {
            self.tell_draining(server.peer_id, within);
        }
        true
    }

    /// A relay says that it drains: this server does not name it any more. Answers whether that may be said to this node: servers are told
    /// whether they have the relay or not.
    pub(in crate::node) fn relay_withdrawn(&mut self, relay: PeerId) -> bool {
        let Some(dht) = self.swarm.behaviour_mut().kad.as_mut() else { return false };
        dht.store_mut().remove_provider(&relay_key(), &relay);
        dht.mode() == kad::Mode::Server
    }

    /// A relay that the DHT named drains: it is not taken up again before it may have started anew.
    pub(in crate::node) fn leave_found(&mut self, relay: PeerId, within: Duration) {
        let until = self.now() + within.max(DRAINED);
        self.discovery.relays.leave(relay, until);
    }
}
