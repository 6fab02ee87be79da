//! What only fuzz targets reach: the layers of a connection one by one, and a peer that does not keep to them.

use super::*;
use crate::certificate::Certificate;
use crate::channel::dcep::Dcep;

/// An SCTP association with what is before and behind it, without encryption: packets in and out as [`Connection`] handles them.
pub struct Association {
    channels: Channels,
    client: bool,
    most: usize,
}

impl Association {
    /// One that does nothing before [`Association::start`].
    pub fn new(settings: &Settings, client: bool) -> Self {
        Self { channels: Channels::new(settings, true), client, most: settings.max_message }
    }

    /// DTLS would be up.
    pub fn start(&mut self, now: Instant) {
        self.channels.start(now, self.client, self.most);
    }

    /// Takes a decrypted packet; why the association ended.
    pub fn handle_packet(&mut self, now: Instant, packet: Bytes) -> Option<CloseReason> {
        self.channels.handle_packet(now, packet)
    }

    /// As [`Connection::handle_timeout`]; why the association ended.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        self.channels.handle_timeout(now)
    }

    /// As [`Connection::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.channels.poll_timeout()
    }

    /// As [`Connection::poll_event`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.channels.poll_event()
    }

    /// Hands each packet to `out` before it would be encrypted; why the association ended.
    pub fn flush(&mut self, now: Instant, out: impl FnMut(&[u8])) -> Option<CloseReason> {
        self.channels.flush(now, out)
    }

    /// As [`Connection::open_channel`].
    pub fn open_channel(&mut self, now: Instant, options: ChannelOptions) -> Result<ChannelId, ChannelError> {
        self.channels.open(now, options)
    }

    /// As [`Connection::write`].
    pub fn write(&mut self, now: Instant, channel: ChannelId, message: Bytes) -> Result<(), ChannelError> {
        self.channels.write(now, channel, message)
    }

    /// As [`Connection::read`], and why the association ended.
    pub fn read(&mut self, now: Instant, channel: ChannelId) -> (Option<Bytes>, Option<CloseReason>) {
        self.channels.read(now, channel)
    }

    /// As [`Connection::close_channel`].
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        self.channels.close(now, channel);
    }

    /// As [`Connection::close`]: the last packets come with the next [`Association::flush`].
    pub fn close(&mut self, now: Instant) {
        self.channels.end_all(now);
    }
}

/// DTLS with the filter of its records, without ICE and SCTP.
pub struct Security(Dtls);

/// What a datagram brought.
#[derive(Debug, Default)]
pub struct Arrived {
    /// The handshake is over.
    pub connected: bool,
    /// Decrypted data.
    pub data: Vec<Bytes>,
    /// The end.
    pub closed: Option<CloseReason>,
}

impl Arrived {
    fn note(&mut self, event: DtlsEvent) {
        match event {
            DtlsEvent::Connected => self.connected = true,
            DtlsEvent::Data(data) => self.data.push(data),
            DtlsEvent::Closed(reason) => self.closed = Some(reason),
        }
    }
}

impl Security {
    /// Any certificate of the peer will do.
    pub fn new(certificate: &Certificate, client: bool) -> Result<Self, ConnectionError> {
        Dtls::new(certificate, client, None).map(Self)
    }

    /// A pair of candidates was selected: a client begins.
    pub fn connect(&mut self, now: Instant) -> Arrived {
        let mut arrived = Arrived::default();
        self.0.connect(now).into_iter().for_each(|event| arrived.note(event));
        arrived
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Arrived {
        let mut arrived = Arrived::default();
        self.0.handle_datagram(now, datagram).into_iter().for_each(|event| arrived.note(event));
        arrived
    }

    /// Acts upon the time.
    pub fn handle_timeout(&mut self, now: Instant) -> Arrived {
        let mut arrived = Arrived::default();
        self.0.handle_timeout(now).into_iter().for_each(|event| arrived.note(event));
        arrived
    }

    /// When to do so.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    /// Encrypts.
    pub fn send(&mut self, now: Instant, data: &[u8]) {
        self.0.send(now, data);
    }

    /// The next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.0.poll_transmit().map(bytes::BytesMut::freeze)
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        self.0.close(now);
    }
}

/// A peer that lies within DTLS.
impl Connection {
    /// Does what comes before [`Connection::poll_transmit`], but `change` makes of each SCTP packet what is really sent.
    pub fn flush_changed(&mut self, mut change: impl FnMut(&[u8]) -> Vec<Vec<u8>>) {
        let (now, closed) = (self.now, self.closed);
        let Some(dtls) = self.dtls.as_mut().filter(|dtls| dtls.peer().is_some() && !closed) else { return };
        let ended = self.channels.flush(now, |packet| {
            change(packet).iter().for_each(|packet| dtls.send(now, packet));
        });
        self.route();
        if let Some(reason) = ended {
            self.end(reason);
        }
    }

    /// Sends any bytes as if they were an SCTP packet.
    pub fn send_packet(&mut self, packet: &[u8]) {
        let (now, closed) = (self.now, self.closed);
        if let Some(dtls) = self.dtls.as_mut().filter(|dtls| dtls.peer().is_some() && !closed) {
            dtls.send(now, packet);
            self.route();
        }
    }
}

/// Reads a message of DCEP and writes it again; whether it was an opening, and its options.
pub fn dcep(bytes: &[u8]) -> Option<(Option<ChannelOptions>, Bytes)> {
    let message = Dcep::decode(bytes)?;
    let encoded = message.encode();
    Some((if let Dcep::Open(options) = message { Some(options) } else { None }, encoded))
}
