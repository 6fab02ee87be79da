//! The script hash of the Electrum protocol.

use bitcoin::Script;
use bitcoin::hashes::{Hash, sha256};

bitcoin::hashes::hash_newtype! {
    /// The SHA-256 of an output script, shown in reversed byte order (Electrum protocol, "Script Hashes").
    #[hash_newtype(backward)]
    pub struct ScriptHash(sha256::Hash);
}

impl ScriptHash {
    /// The hash of a script.
    pub fn of(script: &Script) -> Self {
        Self(sha256::Hash::hash(script.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::ScriptBuf;

    #[test]
    fn the_script_of_the_genesis_address_has_the_hash_that_the_protocol_documents() {
        let script = ScriptBuf::from_hex("76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac").unwrap();
        let hash = ScriptHash::of(&script).to_string();
        assert_eq!(hash, "8b01df4e368ea28f8dc0423bcf7a4923e3a12d307c875e47a0cfbf90b5c39161");
    }
}
