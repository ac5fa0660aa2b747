-- The two PostgreSQL roles of the helper that erases what Synapse's own deletion leaves (salles.cleaner).
--
-- Run it in Synapse's database, as the owner of Synapse's tables or as a superuser, once, and again after every upgrade
-- of Synapse (tables that are new are not readable yet; the look then says so). Nothing in it is lost by repeating it.
--
--   psql -v ON_ERROR_STOP=1 -d synapse -f cleaner-roles.sql
--
-- Passwords are set by hand (\password colloque_cleaner) and stand in libpq's password file of the helper's user.

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'colloque_cleaner') THEN
        CREATE ROLE colloque_cleaner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'colloque_reader') THEN
        CREATE ROLE colloque_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
        ALTER ROLE colloque_reader SET default_transaction_read_only = on;
    END IF;
END $$;

-- What an earlier version of this file gave goes first.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM colloque_cleaner, colloque_reader;
GRANT USAGE ON SCHEMA public TO colloque_cleaner, colloque_reader;

-- Deletes from these tables, and no other: src/colloque/rooms/leftovers.py says which rows.
GRANT SELECT, DELETE ON
    current_state_delta_stream, delayed_events, device_federation_outbox, device_inbox,
    device_lists_changes_in_room, event_expiry, event_labels, event_reports, event_txn_id_device_id,
    ex_outlier_stream, quarantined_media_changes, remote_media_cache, remote_media_cache_thumbnails,
    room_alias_servers, room_ban_redactions, room_reports, room_retention, room_tags_revisions,
    scheduled_tasks, sliding_sync_connection_lazy_members, sliding_sync_connection_room_configs,
    sliding_sync_connection_streams, sliding_sync_joined_rooms_to_recalculate, thread_subscriptions, threads,
    timeline_gaps, un_partial_stated_event_stream, un_partial_stated_room_stream
    TO colloque_cleaner;

-- Reads these beside: who still follows a stream, which aliases live.
GRANT SELECT ON
    room_aliases, room_forgetter_stream_pos, schema_compat_version, schema_version,
    stats_incremental_position, stream_positions, user_directory_stream_pos
    TO colloque_cleaner;

-- Reads everything (tokens and password digests too: guard this role as you guard a backup), writes nothing.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO colloque_reader;
