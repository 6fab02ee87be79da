//! Merkle branches over transaction ids and block hashes.

use bitcoin::hashes::{Hash, sha256d};

/// The branch that proves the leaf at `position`, from the bottom up; `None` if there is no such leaf.
///
/// A level with an odd number of nodes repeats its last one, as Bitcoin does.
pub fn branch(leaves: &[sha256d::Hash], position: usize) -> Option<Vec<sha256d::Hash>> {
    leaves.get(position)?;
    let (mut level, mut position) = (leaves.to_vec(), position);
    let mut branch = Vec::new();
    while level.len() > 1 {
        let sibling = (position ^ 1).min(level.len() - 1);
        branch.push(level[sibling]);
        level = level.chunks(2).map(|pair| parent(&pair[0], pair.last().expect("a chunk is not empty"))).collect();
        position /= 2;
    }
    Some(branch)
}

/// The root that a leaf at `position` has with this branch.
pub fn root_from_branch(leaf: sha256d::Hash, position: usize, branch: &[sha256d::Hash]) -> sha256d::Hash {
    let (mut node, mut position) = (leaf, position);
    for sibling in branch {
        node = if position.is_multiple_of(2) { parent(&node, sibling) } else { parent(sibling, &node) };
        position /= 2;
    }
    node
}

fn parent(left: &sha256d::Hash, right: &sha256d::Hash) -> sha256d::Hash {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left.as_byte_array());
    both[32..].copy_from_slice(right.as_byte_array());
    sha256d::Hash::hash(&both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::TxMerkleNode;

    #[test]
    fn every_branch_leads_to_the_root_that_the_bitcoin_crate_computes() {
        for count in 1..=17_usize {
            let leaves: Vec<_> = (0..count).map(|i| sha256d::Hash::hash(&i.to_le_bytes())).collect();
            let nodes = leaves.iter().map(|leaf| TxMerkleNode::from_raw_hash(*leaf));
            let root = bitcoin::merkle_tree::calculate_root(nodes).expect("there are leaves").to_raw_hash();
            for (position, leaf) in leaves.iter().enumerate() {
                let branch = branch(&leaves, position).expect("the leaf exists");
                assert_eq!(root_from_branch(*leaf, position, &branch), root, "leaf {position} of {count}");
            }
            assert_eq!(branch(&leaves, count), None);
        }
    }
}
