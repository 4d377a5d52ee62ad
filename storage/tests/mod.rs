//! The storage's tests: every case runs on SQLite and on PostgreSQL.

mod cases;
mod contacts;
mod damage;
mod dkim;
mod emails;
mod facts;
mod file_texts;
mod files;
mod forward;
mod group;
mod imports;
mod items;
mod itip;
mod junk;
mod late;
mod metadata;
mod oauth;
pub(crate) mod plans;
#[path = "../../tests/e2e/postgres.rs"]
#[expect(dead_code, reason = "crash and restart are for the end-to-end tests, which share this file")]
mod postgres;
mod queue;
mod read;
mod replace;
mod reports;
mod rooms;
mod scattered;
mod sharing;
mod sieve;
mod soon;
mod terms;
mod transport;
mod twins;

use std::path::Path;
use std::sync::Arc;

use crate::{
    AccountId, Change, Database, FlagEdit, Foreseen, Listener, MailboxId, NewEmail, Options, Result, Storage,
    accounts, mailboxes,
};

/// A data directory and a database, which can be opened again.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    database: Database,
}

impl Place {
    pub(crate) async fn open(&self) -> Storage {
        self.try_open().await.expect("opens")
    }

    pub(crate) async fn try_open(&self) -> Result<Storage> {
        let data_dir = self.directory.path().to_owned();
        Storage::open(Options { data_dir, database: self.database.clone() }).await
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn on_sqlite() -> Place {
    Place { directory: tempfile::tempdir().expect("a temporary directory"), database: Database::Sqlite }
}

/// Runs cases on SQLite as a test each, and on PostgreSQL one after the other on one server.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::cases::$case(super::on_sqlite()).await })*

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn no_statement_reads_a_whole_table() {
                $(Box::pin(super::cases::$case(super::on_sqlite())).await;)*
                let place = super::on_sqlite();
                super::plans::check(&place.open().await).await;
            }
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            let Some(server) = postgres::Postgres::start() else {
                assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed");
                eprintln!("SKIPPED: PostgreSQL is not installed (Debian's package postgresql)");
                return;
            };
            $(
                eprintln!("postgres: {}", stringify!($case));
                let name = stringify!($case);
                let admin = sqlx::PgPool::connect(&server.url()).await.expect("connects");
                sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.expect("made");
                admin.close().await;
                let database = Database::Postgres(server.url().replace("/twinhub", &format!("/{name}")));
                let directory = tempfile::tempdir().expect("a temporary directory");
                Box::pin(cases::$case(Place { directory, database })).await;
            )*
        }
    };
}

cases! {
    appended_messages_are_read_back,
    a_group_is_all_or_nothing,
    one_refused_job_does_not_touch_its_neighbours,
    flags_change_by_one_rule,
    copies_moves_and_expunges_keep_the_counters,
    scattered_sets_are_exact,
    mailboxes_form_a_tree,
    save_dates_are_told_by_uid,
    a_replacement_is_one_commit,
    equal_content_is_kept_once_and_reclaimed,
    a_deleted_mailbox_is_emptied_later,
    concurrent_appends_get_gapless_uids,
    everything_survives_a_restart,
    the_queue_leases_and_settles,
    a_node_knows_its_leases_after_a_crash,
    the_timetable_has_every_flow,
    the_last_attempts_are_kept,
    operators_act_on_what_they_name,
    the_overdue_are_looked_after_once,
    what_has_ended_is_told_together,
    threads_are_joined_by_references,
    a_removed_account_leaves_nothing,
    annotations_follow_their_mailbox,
    the_journal_folds_changes,
    a_packed_copy_and_the_journal_give_the_rows,
    terms_lead_to_emails,
    an_interrupted_index_is_smaller_not_wrong,
    an_import_is_noted_once,
    scripts_are_kept,
    what_runs_have_noted_expires,
    keys_are_kept_until_removed,
    an_alias_leads_to_accounts_and_addresses,
    a_report_is_kept_once,
    what_happens_is_counted_until_reported,
    a_refused_append_leaves_nothing_to_the_next_job,
    what_an_undone_job_has_locked_is_locked_anew,
    an_aborted_reader_leaves_no_transaction,
    summaries_are_read_in_one_scan,
    what_a_filter_learned_is_kept_and_goes_with_its_account,
    policies_are_kept_until_they_expire,
    a_random_course_of_files_equals_its_model,
    grants_are_found_from_both_sides,
    contents_are_read_once,
    items_are_kept_and_found,
    items_are_moved_and_removed,
    items_are_synchronised,
    items_have_properties_and_are_indexed_anew,
    contacts_are_known_until_they_expire,
    alarms_are_due_once,
    itip_messages_are_told_once,
    rooms_are_accounts,
    scheduling_objects_have_tags,
    collections_are_granted_and_described,
    programs_register_within_a_limit,
    grants_are_kept_with_their_tokens,
    tokens_expire_and_go_with_their_account,
    an_email_is_found_in_all_its_places,
    uploads_wait_for_their_use,
    what_is_sent_is_noted,
    records_of_twins_are_kept_in_order,
    logs_of_domains_grow,
    other_hubs_and_their_twins_are_known,
}

/// Hears of commits, and has no mailbox in memory.
struct Ear<F>(F);

impl<F: Fn(Vec<Change>) + Send + Sync> Listener for Ear<F> {
    fn committed(&self, changes: Vec<Change>) {
        (self.0)(changes);
    }

    fn foresee(&self, _: &FlagEdit) -> Option<Foreseen> {
        None
    }
}

/// An account with INBOX and one more mailbox.
async fn account(storage: &Storage, name: &str, quota: u64) -> (AccountId, MailboxId) {
    let name = format!("{name}@example.org");
    storage
        .transact([], move |tx| {
            Box::pin(async move {
                let id = accounts::add_account(tx, &name, &name, "", b"", quota).await?;
                let root = crate::MailboxRow::ROOT;
                mailboxes::create(tx, id, root, "INBOX", Some(crate::Role::Inbox), true).await?;
                let other = mailboxes::create(tx, id, root, "Other", None, true).await?;
                Ok((id, other))
            })
        })
        .await
        .expect("account")
}

/// A message with this body for an account's INBOX.
async fn email(storage: &Storage, account: AccountId, body: &[u8]) -> NewEmail {
    let mut spool = storage.spool();
    for chunk in body.chunks(50_000) {
        spool.write(chunk).await.expect("written");
    }
    NewEmail {
        account,
        mailbox: MailboxId::INBOX,
        blob: Arc::new(spool.finish().await.expect("staged")),
        prefix: b"Received: by test\r\n".to_vec(),
        summary: Arc::from(&b"summary"[..]),
        sent_at: 0,
        thread_keys: Vec::new(),
        flags: crate::Flags::NONE,
        received_at: 1_000,
    }
}
