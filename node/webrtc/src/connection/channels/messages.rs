//! How messages leave, arrive and wait.

use super::*;

impl Channels {
    /// Hands messages to the association by their turns until enough of them wait there.
    pub(super) fn fill(&mut self, now: Instant) {
        let mut emptied = Vec::new();
        while self.sctp.unsent() < UNSENT && self.in_flight < MAX_IN_FLIGHT {
            let Some((id, message)) = self.schedule.pop(now, |id| emptied.push(id)) else { break };
            let channel = &self.table[&id];
            let Some(stream) = channel.stream else { continue };
            if let Some(expires) = message.expires
                && channel.state != State::Opening
            {
                let left = Reliability::Lifetime(expires.saturating_duration_since(now));
                self.sctp.set_reliability(stream, channel.options.ordered, left);
            }
            let bytes = self.sctp.send_message(now, stream, &message.payload);
            self.add_in_flight(id, bytes);
            self.on_progress(id);
            if !self.schedule.holds(id) {
                emptied.push(id);
            }
        }
        for id in emptied {
            self.on_progress(id);
            let closing = self.table.get(&id).is_some_and(|channel| matches!(channel.state, State::Closing(_)));
            if closing && !self.schedule.holds(id) {
                self.reset_stream(now, id);
            }
        }
    }

    pub(super) fn add_in_flight(&mut self, id: ChannelId, bytes: usize) {
        if let Some(channel) = self.table.get_mut(&id) {
            channel.in_flight += bytes;
            self.in_flight += bytes;
        }
    }

    pub(super) fn on_released(&mut self, stream: u16, bytes: usize) {
        let Some(id) = self.by_stream.get(&stream).copied() else { return };
        let Some(channel) = self.table.get_mut(&id) else { return };
        let bytes = bytes.min(channel.in_flight);
        channel.in_flight -= bytes;
        self.in_flight -= bytes;
        self.sctp.limit_unsent(self.in_flight);
    }

    /// Says so if a channel that was full has room again.
    pub(super) fn on_progress(&mut self, id: ChannelId) {
        let Some(channel) = self.table.get_mut(&id) else { return };
        if channel.full && channel.state.is_live() && self.schedule.bytes(id) <= self.settings.channel_send_buffer / 2 {
            channel.full = false;
            self.events.push_back(Event::Writable(id));
        }
    }

    pub(super) fn on_readable(&mut self, now: Instant, stream: u16) {
        if self.by_stream.contains_key(&stream) {
            let id = self.by_stream[&stream];
            self.drain(now, id);
        } else {
            self.accept(now, stream);
        }
    }

    /// Takes messages of a channel as long as the buffers have room.
    pub(super) fn drain(&mut self, now: Instant, id: ChannelId) {
        loop {
            let Some(channel) = self.table.get(&id) else { return };
            let Some(stream) = channel.stream else { return };
            let keeps = channel.state.is_live() && !channel.hidden;
            let has_room =
                channel.unread < self.settings.channel_receive_buffer && self.unread < self.settings.receive_buffer;
            if keeps && !has_room {
                return self.block(now, id);
            }
            match self.sctp.read(stream, self.settings.max_message) {
                Ok(received) if received.dcep => self.on_dcep(now, id, &received.payload),
                Ok(received) if keeps => self.on_message(id, received.payload),
                Ok(_) => {}
                Err(Unreadable::TooLong) if keeps => self.reset(now, id, ChannelEnd::Misbehaved),
                Err(Unreadable::TooLong) => {}
                Err(Unreadable::Empty) => return,
            }
        }
    }

    pub(super) fn on_message(&mut self, id: ChannelId, payload: Bytes) {
        self.on_answer(id);
        let Some(channel) = self.table.get_mut(&id) else { return };
        let cost = payload.len() + OVERHEAD;
        channel.unread += cost;
        self.unread += cost;
        if channel.incoming.is_empty() {
            self.events.push_back(Event::Readable(id));
        }
        channel.incoming.push_back(payload);
    }

    pub(super) fn on_dcep(&mut self, now: Instant, id: ChannelId, payload: &[u8]) {
        match Dcep::decode(payload) {
            Some(Dcep::Ack) => self.on_answer(id),
            _ if self.table.get(&id).is_some_and(|channel| channel.state.is_live()) => {
                self.reset(now, id, ChannelEnd::Misbehaved)
            }
            _ => {}
        }
    }

    /// Leaves the rest to the association, whose window then slows the peer down.
    pub(super) fn block(&mut self, now: Instant, id: ChannelId) {
        if self.blocked.insert(id) {
            self.set_deadline(id, Some(now + self.settings.overrun_patience));
        }
    }

    pub(super) fn drain_blocked(&mut self, now: Instant) {
        if self.unread >= self.settings.receive_buffer {
            return;
        }
        for id in self.blocked.clone() {
            let has_room =
                self.table.get(&id).is_some_and(|channel| channel.unread < self.settings.channel_receive_buffer);
            if has_room && self.blocked.remove(&id) {
                self.set_deadline(id, None);
                self.drain(now, id);
            }
        }
    }
}
