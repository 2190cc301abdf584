"""Every way in which a bus of this kind is known to fail, and the tests that prove it handled.

The numbers F1 to F27 are names: docs, comments and people may use them. A row says what fails in a
plain ZeroMQ system, what is done about it here, and which tests would fail if that were undone.
"""

import msgspec


class Mode(msgspec.Struct, frozen=True):
    """One failure mode."""

    name: str
    fails: str
    handled: str
    proofs: tuple[str, ...]


def mode(name: str, fails: str, handled: str, *proofs: str) -> Mode:
    """Return a row; each proof is `<file below tests>::<test>`."""
    return Mode(name, fails, handled, proofs)


MODES: tuple[Mode, ...] = (
    mode(
        "F1",
        "A subscriber that joins late, or comes back, misses what was said before.",
        "It reads the journal up to the live frames; one rule decides what comes next.",
        "chaos/test_subscribers_in_trouble.py"
        "::test_who_joins_in_the_middle_has_everything_from_the_beginning",
        "bus/test_merge.py::test_a_first_contact_asks_for_the_journal_and_takes_what_is_kept",
        "bus/test_merge_schedules.py::test_whoever_joins_late_stands_where_all_others_stand",
    ),
    mode(
        "F2",
        "A publisher restarts while a subscriber's thread is busy: it never subscribes again.",
        "A sign of life names the last position, and the journal has what the socket lost.",
        "chaos/test_subscribers_in_trouble.py"
        "::test_a_subscriber_that_stands_still_while_its_publisher_is_replaced_misses_nothing",
    ),
    mode(
        "F3",
        "A full queue drops a burst, and its end is invisible until something else is said.",
        "Every sign of life names the last position of each stream.",
        "chaos/test_subscribers_in_trouble.py"
        "::test_a_held_subscriber_has_the_end_of_a_burst_after_one_sign_of_life",
        "bus/test_merge.py::test_a_heartbeat_tells_of_the_end_of_a_burst_that_was_lost",
    ),
    mode(
        "F4",
        "A slow subscriber makes its publisher grow, or holds others up.",
        "A queue has 256 frames of 64 KiB at most, and is dropped from rather than waited for.",
        "chaos/test_subscribers_in_trouble.py"
        "::test_a_held_watcher_costs_a_bounded_queue_and_disturbs_nobody",
    ),
    mode(
        "F5",
        "The option that drops nothing couples everybody to the slowest.",
        "It is forbidden: a rule of the tree refuses it wherever it is written.",
        "test_tidy.py::test_the_tree_keeps_the_rule",
        "test_tidy.py::test_a_breach_is_found",
    ),
    mode(
        "F6",
        "A second instance takes the socket's path: half of the house listens to each.",
        "One lease for each service, taken before anything is bound.",
        "bus/test_process.py::test_a_second_one_is_refused_and_the_first_goes_on",
        "bus/test_lease.py::test_a_second_holder_is_refused_and_told_who_holds_it",
        "bus/test_process.py::test_who_takes_a_lease_that_was_removed_is_alone",
    ),
    mode(
        "F7",
        "To bind deletes whatever stands at the path, a database as well.",
        "What is no socket is refused and left alone.",
        "bus/test_wire.py::test_a_file_in_the_place_of_a_socket_is_refused_and_kept",
    ),
    mode(
        "F8",
        "A router that replays drops in silence what does not fit its queue.",
        "There is none: whoever is on this machine reads the file, others watch over ssh.",
        "bus/test_crowds.py::test_a_service_has_no_socket_to_replay_from",
    ),
    mode(
        "F9",
        "Without file descriptors the library ends the publisher from within.",
        "A service raises its limit at its start, refuses to start below 1024, and is an alert at "
        "four fifths of it.",
        "services/test_monitor.py::test_a_service_with_nearly_all_its_files_open_is_an_alert",
        "chaos/test_publishers_in_trouble.py"
        "::test_a_bare_publisher_without_descriptors_is_aborted_by_its_library",
        "chaos/test_publishers_in_trouble.py"
        "::test_with_too_few_descriptors_a_service_refuses_to_start",
    ),
    mode(
        "F10",
        "Of more than a thousand subscriptions some are lost.",
        "A subscriber's own queue of subscriptions has no limit.",
        "bus/test_crowds.py::test_three_thousand_subscriptions_survive_a_restart_of_the_publisher",
    ),
    mode(
        "F11",
        "A killed publisher leaves the file of its socket.",
        "It is harmless: the next one takes it over.",
        "bus/test_wire.py::test_a_stale_socket_is_taken_over",
        "bus/test_process.py::test_killed_it_comes_back_in_the_next_epoch",
    ),
    mode(
        "F12",
        "A tail is torn, a bit turns over, a file is cut.",
        "A tear is cut and kept beside; damage stops who money hangs on, and is counted by others.",
        "bus/test_every_byte.py::test_a_cut_at_every_byte_keeps_what_is_whole",
        "bus/test_every_byte.py::test_every_bit_turned_over_costs_one_record_and_is_told",
        "bus/test_every_byte.py::test_a_sealed_segment_cut_anywhere_is_never_passed_in_silence",
        "bus/test_repair.py::test_a_tail_cut_at_any_byte_is_mended_to_the_records_before_it",
        "bus/test_repair.py::test_every_flipped_bit_in_the_middle_stops_writer_and_reader",
        "bus/test_merge_schedules.py::test_torn_tails_cost_nothing_and_damage_is_never_passed",
        "bus/test_merge_schedules.py::test_bad_bytes_catch_a_system_that",
    ),
    mode(
        "F13",
        "A power cut takes a tail that a subscriber holds, and its positions are used again.",
        "Epochs come from a synced counter of their own; who is ahead keeps its rows and tells.",
        "bus/test_power_cut.py"
        "::test_a_sink_that_is_ahead_of_a_cut_journal_keeps_its_rows_and_tells",
        "bus/test_merge_schedules.py::test_the_schedules_catch_a_system_that",
        "bus/test_segments.py::test_the_epoch_counter_only_grows",
    ),
    mode(
        "F14",
        "What was only acknowledged is sold as durable.",
        "Class A is on the disk before it is sent; heartbeats say how far each stream is synced.",
        "bus/test_send_order.py::test_class_a_is_synced_between_its_append_and_its_send",
        "bus/test_power_cut.py"
        "::test_an_outlet_sends_nothing_of_class_a_that_a_power_cut_could_take",
        "bus/test_journal.py::test_class_a_is_on_the_disk_before_a_reader_is_given_it",
    ),
    mode(
        "F15",
        "On macOS a plain sync stops at the cache of the drive.",
        "F_FULLFSYNC there, and a plain sync only where the file system does not know that word.",
        "bus/test_send_order.py::test_on_a_mac_the_drive_itself_is_told_to_write",
    ),
    mode(
        "F16",
        "Somebody dies between append, sync and send, and two subscribers disagree.",
        "Append comes first, so that the journal has whatever anybody heard.",
        "bus/test_send_order.py::test_whoever_dies_between_two_steps_two_subscribers_agree",
        "bus/test_merge_schedules.py::test_no_schedule_of_many_loses_doubles_or_reorders_anything",
        "bus/test_runner.py::test_killed_at_any_append_it_says_the_same_byte_for_byte",
    ),
    mode(
        "F17",
        "A killed writer does something twice.",
        "Rows and position are one transaction, and the position is compared before it is set.",
        "services/test_writer_kill.py::test_thirty_kills_lose_and_double_nothing",
        "chaos/test_chaos_bus.py::test_twenty_kills_lose_double_and_reorder_nothing",
        "bus/test_journal_kill.py::test_a_killed_writer_loses_nothing_that_it_told_of",
    ),
    mode(
        "F18",
        "A killed processor says something twice, or something else.",
        "A turn's inputs stand in the record of its outputs; it is run again and compared.",
        "bus/test_runner.py::test_killed_at_any_append_it_says_the_same_byte_for_byte",
        "chaos/test_chaos_bus.py::test_twenty_kills_lose_double_and_reorder_nothing",
        "services/engine/test_engine_recovery.py"
        "::test_killed_at_every_append_it_trades_the_same_and_nothing_twice",
        "services/gateway/test_gateway_power.py"
        "::test_wherever_power_goes_an_order_is_neither_lost_nor_sent_again",
        "services/risk/test_risk_power.py"
        "::test_what_the_account_holds_is_the_same_to_the_last_unit",
    ),
    mode(
        "F19",
        "A loop that hangs looks alive, because another thread answers for it.",
        "Signs of life come from the main loop alone; three seconds of silence are death.",
        "chaos/test_subscribers_in_trouble.py"
        "::test_a_process_that_is_held_is_dead_after_three_seconds_of_silence",
        "system/test_leaving.py::test_a_hung_process_is_ended_and_comes_back",
    ),
    mode(
        "F20",
        "A subscription to one name hears every longer name, too.",
        "A topic has 24 bytes, filled up with NUL.",
        "bus/test_wire.py::test_a_subscriber_hears_its_stream_and_not_one_with_a_longer_name",
        "schema/test_frame.py::test_a_topic_is_no_prefix_of_another",
    ),
    mode(
        "F21",
        "Sockets in an asyncio loop are slow, lose events and grow.",
        "They are forbidden: sockets belong to the main loop, and one file imports zmq.",
        "test_tidy.py::test_the_tree_keeps_the_rule",
        "test_tidy.py::test_a_breach_is_found",
    ),
    mode(
        "F22",
        "Somebody sets the clock, and every time-out fires.",
        "Silence and deadlines are measured by a clock that nobody sets; a step is one event.",
        "bus/test_clock_steps.py::test_a_clock_set_by_an_hour_is_one_gap_and_no_storm",
        "bus/test_clock.py::test_a_clock_that_was_set_is_noticed_once",
    ),
    mode(
        "F23",
        "A process waits for ever to print, because its supervisor does not read.",
        "The console is never waited for: what does not fit is dropped and counted.",
        "chaos/test_publishers_in_trouble.py"
        "::test_a_console_that_nobody_reads_holds_no_publisher_up",
        "system/test_smoke.py::test_services_go_on_while_their_supervisor_is_held",
        "bus/test_log.py::test_a_console_that_nobody_reads_holds_nobody_up",
    ),
    mode(
        "F24",
        "A killed supervisor leaves orphans, and the next one starts doubles.",
        "A service leaves when its standard input ends, and holds its lease until it is gone.",
        "system/test_leaving.py::test_a_house_whose_supervisor_was_killed_comes_up_again",
        "system/test_chaos.py::test_books_are_equal_after_many_have_died_at_once",
        "bus/test_process.py::test_a_supervisor_that_dies_takes_its_services_with_it",
    ),
    mode(
        "F25",
        "The disk is full.",
        "What cannot be appended is not sent; the service ends, and goes on once there is room.",
        "chaos/test_publishers_in_trouble.py"
        "::test_a_full_disk_ends_its_publisher_and_costs_nothing_that_was_said",
        "bus/test_segments.py"
        "::test_a_full_disk_stops_the_writer_and_costs_only_what_was_not_appended",
        "bus/test_shard.py::test_a_full_disk_is_said_as_such_and_the_shard_works_on_afterwards",
    ),
    mode(
        "F26",
        "The drive of the worlds is absent at boot, and they begin anew on another disk.",
        "A world's file names what it is, and a home that cannot be written is refused. Nothing "
        "waits for a drive yet: that belongs to the boot file, which comes with `rrr boot`.",
        "bus/test_world.py::test_a_world_that_does_not_fit_is_refused_and_both_are_named",
        "bus/test_house.py::test_a_home_that_cannot_be_written_is_refused",
    ),
    mode(
        "F27",
        "One message of an unknown kind makes a whole batch unreadable.",
        "The batch is read one by one: the unknown is counted, or stops who money hangs on.",
        "schema/test_evolution.py"
        "::test_an_unknown_kind_is_skipped_and_counted_or_stops_with_its_place",
        "schema/test_evolution.py::test_a_consumer_counts_what_it_skips_and_stays_in_order",
        "fuzz/test_fuzz.py::test_any_bytes_give_a_documented_answer",
    ),
)
