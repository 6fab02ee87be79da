//! Which runs there are, and the processes that run them.
//!
//! | module | noun |
//! |---|---|
//! | [`collection`] | the checked scenarios of some files and folders, or everything that is wrong with them |
//! | [`plan`] | the (scenario, seed) pairs to run, and the part of them that a shard runs |
//! | [`folder`] | where the files of an invocation and of each run are |
//! | [`launcher`], [`process`] | how a worker is started; one worker from its order to its end |
//! | [`task`], [`pool`] | one run with everything it leaves; several at a time |
//! | [`sweep`] | the runs of a plan, each once |
//! | [`result`](mod@result) | what a summary says of a worker's end |
//! | [`bundle`], [`evidence`] | what a failing run leaves to be run again; its second run for a capture |
//! | [`commit`], [`moment`] | which code ran, and when |
//! | [`interrupt`] | the wish to stop |
//!
//! Invariants: nothing runs unless every scenario is in order; a worker whose result is not understood has crashed, never passed; no
//! child process outlives its supervision; everything that a run leaves is in the run's own folder.
//!
//! Deliberately absent: anything printed (that is the command line's), and any knowledge of what happens inside a worker.

pub mod bundle;
pub mod collection;
pub mod commit;
pub mod evidence;
pub mod folder;
pub mod interrupt;
pub mod launcher;
pub mod moment;
pub mod plan;
pub mod pool;
pub mod process;
pub mod result;
pub mod sweep;
pub mod task;
