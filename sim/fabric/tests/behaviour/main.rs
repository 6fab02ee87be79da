//! Behaviour of the fabric, one module per subject.

mod classification;
mod direct_paths;
mod faults;
mod links;
mod nat_filtering;
mod nat_hairpinning;
mod nat_life;
mod nat_mapping;
mod nat_unsolicited;
mod properties;
mod routes;
mod support;
mod tcp_flows;
mod topology;
