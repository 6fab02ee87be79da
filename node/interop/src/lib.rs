//! Nothing but tests: the node against stock libp2p and against hostile peers, on real sockets.
//!
//! A package of its own, so that the stock transports and the features they turn on stay away from everything else.
