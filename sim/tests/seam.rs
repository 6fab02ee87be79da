//! The seam's contract: one set of clauses that both worlds behind the seam keep.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod seam_contract;

/// Makes of each clause a test per world.
macro_rules! in_both_worlds {
    ($($file:ident: $($clause:ident),+;)+) => {
        mod operating_system {
            $($(
                #[tokio::test]
                async fn $clause() {
                    super::seam_contract::$file::$clause(super::seam_contract::operating_system()).await;
                }
            )+)+
        }

        mod simulation {
            $($(
                #[test]
                fn $clause() {
                    super::seam_contract::in_simulation(super::seam_contract::$file::$clause);
                }
            )+)+
        }
    };
}

in_both_worlds! {
    host:
        a_spawned_task_runs,
        addresses_are_its_own,
        entropy_differs_from_draw_to_draw,
        names_resolve_or_fail,
        the_calendar_is_plausible;
    storage:
        what_is_written_is_read_by_the_next_opening,
        what_is_beyond_the_end_is_an_error_and_what_is_new_is_zero,
        the_lock_is_had_once_until_it_is_released,
        a_store_is_the_same_after_it_was_closed;
    udp:
        a_datagram_is_answered,
        an_oversized_datagram_is_refused,
        a_port_is_chosen_and_known,
        a_taken_or_foreign_address_is_refused,
        many_datagrams_cross_while_both_ends_wait,
        a_dropped_socket_frees_its_port;
    tcp:
        a_connection_knows_its_ends,
        bytes_flow_both_ways,
        one_direction_closes_alone,
        nobody_listening_is_refused,
        leaving_bytes_unread_resets,
        writing_to_one_who_left_fails,
        a_writer_waits_for_its_reader,
        eight_mebibytes_arrive_whole_in_small_reads,
        an_abandoned_attempt_leaves_nothing,
        a_closed_listener_frees_its_port;
}
