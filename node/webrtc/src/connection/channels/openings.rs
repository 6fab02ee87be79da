//! How channels begin (RFC 8832).

use super::*;

impl Channels {
    pub(super) fn insert(
        &mut self,
        options: ChannelOptions,
        stream: Option<u16>,
        state: State,
        hidden: bool,
    ) -> ChannelId {
        let id = ChannelId(self.next);
        self.next += 1;
        self.live += 1;
        if let Some(stream) = stream {
            self.by_stream.insert(stream, id);
        }
        let channel = Channel {
            options,
            stream,
            state,
            hidden,
            incoming: VecDeque::new(),
            unread: 0,
            in_flight: 0,
            full: false,
            deadline: None,
        };
        self.table.insert(id, channel);
        id
    }

    /// Negotiated streams are known from the start, others from when the roles of DTLS are.
    pub(super) fn choose_stream(
        &mut self,
        now: Instant,
        options: &ChannelOptions,
    ) -> Result<Option<u16>, ChannelError> {
        let Self { streams, sctp, by_stream, .. } = self;
        if let Some(stream) = options.negotiated {
            let beyond = streams.is_some() && stream >= sctp.streams();
            let taken = by_stream.contains_key(&stream) || stream == u16::MAX || beyond;
            return if taken { Err(ChannelError::StreamTaken { stream }) } else { Ok(Some(stream)) };
        }
        let Some(streams) = streams else { return Ok(None) };
        let known = std::cell::RefCell::new(sctp);
        let in_use = |stream| by_stream.contains_key(&stream) || known.borrow_mut().knows(stream);
        streams.take(now, in_use).map(Some).ok_or(ChannelError::NoStream)
    }

    /// Opens the stream of a waiting channel.
    pub(super) fn begin(&mut self, now: Instant, id: ChannelId) {
        let options = self.table[&id].options.clone();
        let stream = match self.table[&id].stream {
            Some(stream) => Some(stream),
            None => self.choose_stream(now, &options).ok().flatten(),
        };
        let Some(stream) = stream.filter(|stream| self.sctp.open(*stream)) else {
            self.schedule.remove(id);
            return self.end(now, id, ChannelEnd::Unanswered);
        };
        self.by_stream.insert(stream, id);
        self.unopened.remove(&stream);
        let channel = self.table.get_mut(&id).expect("the caller has it from the table");
        channel.stream = Some(stream);
        if options.negotiated.is_some() {
            self.sctp.set_reliability(stream, options.ordered, options.reliability);
            self.on_open(id, false);
            return self.drain(now, id);
        }
        channel.state = State::Opening;
        // Until the peer knows the channel, its messages must not overtake the opening (RFC 8832 section 6). Neither may one be given up: a
        // stack whose end is unordered already would wait for it for ever.
        self.sctp.set_reliability(stream, true, Reliability::Reliable);
        self.send_dcep(now, id, stream, &Dcep::Open(options));
        self.set_deadline(id, Some(now + OPENING));
    }

    pub(super) fn send_dcep(&mut self, now: Instant, id: ChannelId, stream: u16, message: &Dcep) {
        let bytes = self.sctp.send_dcep(now, stream, &message.encode());
        self.add_in_flight(id, bytes);
    }

    pub(super) fn on_open(&mut self, id: ChannelId, by_peer: bool) {
        self.set_deadline(id, None);
        let Some(channel) = self.table.get_mut(&id) else { return };
        channel.state = State::Open;
        if !channel.hidden {
            self.events.push_back(Event::ChannelOpened { channel: id, options: channel.options.clone(), by_peer });
        }
    }

    /// The peer knows the channel, whether it says so or uses it.
    pub(super) fn on_answer(&mut self, id: ChannelId) {
        let Some(channel) = self.table.get(&id).filter(|channel| channel.state == State::Opening) else { return };
        if let Some(stream) = channel.stream {
            self.sctp.set_reliability(stream, channel.options.ordered, channel.options.reliability);
        }
        self.on_open(id, false);
    }

    /// The first message on a stream that no channel has.
    pub(super) fn accept(&mut self, now: Instant, stream: u16) {
        let received = match self.sctp.read(stream, self.settings.max_message) {
            Ok(received) => Some(received),
            Err(Unreadable::Empty) => return,
            Err(Unreadable::TooLong) => None,
        };
        let opening = received.filter(|received| received.dcep).and_then(|received| Dcep::decode(&received.payload));
        let Some(Dcep::Open(options)) =
            opening.filter(|_| self.live < self.settings.max_channels && self.streams.is_some())
        else {
            tracing::debug!(stream, "a stream begins without a channel that can be opened");
            return self.refuse(now, stream);
        };
        self.unopened.remove(&stream);
        self.sctp.set_reliability(stream, options.ordered, options.reliability);
        let hidden = self.hides_init && options.label == INIT_LABEL;
        let id = self.insert(options, Some(stream), State::Opening, hidden);
        self.send_dcep(now, id, stream, &Dcep::Ack);
        self.on_open(id, true);
        self.drain(now, id);
    }

    pub(super) fn refuse(&mut self, now: Instant, stream: u16) {
        while !matches!(self.sctp.read(stream, 0), Err(Unreadable::Empty)) {}
        self.sctp.close(now, stream);
    }

    pub(super) fn on_connected(&mut self, now: Instant) {
        self.streams = Some(Streams::new(self.client, self.sctp.streams()));
        self.events.push_back(Event::Connected);
        let waiting: Vec<ChannelId> = self.table.keys().copied().collect();
        for id in waiting {
            self.begin(now, id);
        }
    }

    pub(super) fn on_stream_opened(&mut self, now: Instant, stream: u16) {
        if self.by_stream.contains_key(&stream) {
            return;
        }
        if self.unopened.len() < MAX_UNOPENED {
            self.unopened.insert(stream);
        } else {
            self.refuse(now, stream);
        }
        if self.sctp.closing() > MAX_CLOSING {
            self.sctp.fail("the peer uses streams without end");
        }
    }
}
