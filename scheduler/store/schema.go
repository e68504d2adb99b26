package store

// migrations bring a database from any older version to the newest, in order.
// Instants are microseconds since 1970 in UTC, 0 for none: the same in both
// databases, and sortable. Never change one that was released; add one. Each must
// leave the version before it working: columns with defaults, nothing dropped that
// it needs, for replicas of both versions run side by side during an upgrade.
var migrations = []string{`
CREATE TABLE runs (
	id            TEXT PRIMARY KEY,
	environment   TEXT NOT NULL,
	project       TEXT NOT NULL,
	schedule      TEXT NOT NULL,
	action        TEXT NOT NULL,
	cause         TEXT NOT NULL,
	state         TEXT NOT NULL,
	fire_at       BIGINT NOT NULL,
	zone          TEXT NOT NULL,
	created_at    BIGINT NOT NULL,
	started_at    BIGINT NOT NULL,
	accepted_at   BIGINT NOT NULL,
	finished_at   BIGINT NOT NULL,
	activity_id   TEXT NOT NULL,
	message       TEXT NOT NULL,
	superseded_by TEXT NOT NULL,
	generation    BIGINT NOT NULL,
	rank          DOUBLE PRECISION NOT NULL,
	not_before    BIGINT NOT NULL,
	waiting       TEXT NOT NULL,
	tries         BIGINT NOT NULL,
	UNIQUE (schedule, environment, action, fire_at)
);
CREATE INDEX runs_environment ON runs (environment, fire_at);
CREATE INDEX runs_fire_at ON runs (fire_at);
CREATE INDEX runs_unfinished ON runs (action, rank) WHERE state IN ('queued', 'running', 'verifying');
CREATE TABLE calls (
	id          TEXT PRIMARY KEY,
	kind        TEXT NOT NULL,
	account     TEXT NOT NULL,
	project     BIGINT NOT NULL,
	environment TEXT NOT NULL,
	run         TEXT NOT NULL,
	at          BIGINT NOT NULL,
	done        BIGINT NOT NULL,
	outcome     TEXT NOT NULL,
	message     TEXT NOT NULL,
	activity_id TEXT NOT NULL
);
CREATE INDEX calls_account ON calls (account, kind, at);
CREATE INDEX calls_environment ON calls (project, environment, at);
CREATE INDEX calls_kind ON calls (kind, at);
CREATE INDEX calls_run ON calls (run);
CREATE TABLE holds (
	scope  TEXT PRIMARY KEY,
	until  BIGINT NOT NULL,
	reason TEXT NOT NULL
);
CREATE TABLE observations (
	project          BIGINT NOT NULL,
	id               TEXT NOT NULL,
	page             BIGINT NOT NULL,
	at               BIGINT NOT NULL,
	name             TEXT NOT NULL,
	condition        TEXT NOT NULL,
	deployment_state TEXT NOT NULL,
	display          TEXT NOT NULL,
	failed           BIGINT NOT NULL,
	misses           BIGINT NOT NULL,
	PRIMARY KEY (project, id)
);
CREATE TABLE rules (
	name        TEXT NOT NULL,
	environment TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	since       BIGINT NOT NULL,
	PRIMARY KEY (name, environment)
);
CREATE TABLE ticks (
	name TEXT PRIMARY KEY,
	at   BIGINT NOT NULL
);
`, `
ALTER TABLE runs ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX runs_of_environment ON runs (environment, id);
CREATE INDEX runs_in_state ON runs (state, id);
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at > 0;
CREATE INDEX runs_starts ON runs (environment, id) WHERE action = 'start' AND state = 'succeeded' AND accepted_at > 0;
CREATE TABLE overrides (
	id           TEXT PRIMARY KEY,
	environments TEXT NOT NULL,
	keep         TEXT NOT NULL,
	from_at      BIGINT NOT NULL,
	until_at     BIGINT NOT NULL,
	reason       TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	released_at  BIGINT NOT NULL
);
CREATE INDEX overrides_until ON overrides (until_at);
CREATE TABLE replicas (
	id      TEXT PRIMARY KEY,
	seen_at BIGINT NOT NULL
);
`, `
CREATE TABLE logins (
	account  TEXT PRIMARY KEY,
	sealed   TEXT NOT NULL,
	revision BIGINT NOT NULL
);
`, `
ALTER TABLE runs ADD COLUMN called_off BIGINT NOT NULL DEFAULT 0;
`, `
CREATE TABLE projects (
	name       TEXT PRIMARY KEY,
	generation BIGINT NOT NULL,
	owner      TEXT NOT NULL
);
ALTER TABLE runs ADD COLUMN by_name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN by_via TEXT NOT NULL DEFAULT '';
DROP INDEX runs_unfinished;
CREATE INDEX runs_unfinished ON runs (project, rank, id) WHERE state IN ('queued', 'running', 'verifying');
ALTER TABLE overrides ADD COLUMN by_name TEXT NOT NULL DEFAULT '';
ALTER TABLE overrides ADD COLUMN by_via TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN replica TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN unseen BIGINT NOT NULL DEFAULT 0;
CREATE INDEX calls_pending ON calls (replica) WHERE outcome = 'pending';
CREATE TABLE events (
	id          TEXT PRIMARY KEY,
	kind        TEXT NOT NULL,
	at          BIGINT NOT NULL,
	by_name     TEXT NOT NULL,
	by_via      TEXT NOT NULL,
	environment TEXT NOT NULL,
	run         TEXT NOT NULL,
	override    TEXT NOT NULL,
	account     TEXT NOT NULL,
	reason      TEXT NOT NULL,
	next_step   TEXT NOT NULL
);
CREATE INDEX events_at ON events (at);
`, `
DROP INDEX IF EXISTS runs_fire_at;
DROP INDEX IF EXISTS calls_kind;
CREATE INDEX IF NOT EXISTS calls_metadata ON calls (at) WHERE kind = 'metadata';
`, `
CREATE INDEX IF NOT EXISTS runs_manual ON runs (environment, id) WHERE cause = 'manual';
`, `
ALTER TABLE observations ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
CREATE TABLE spans (
	id        TEXT NOT NULL,
	project   BIGINT NOT NULL,
	from_at   BIGINT NOT NULL,
	until_at  BIGINT NOT NULL,
	condition TEXT NOT NULL,
	PRIMARY KEY (id, project, from_at)
);
CREATE INDEX spans_until ON spans (until_at);
ALTER TABLE events ADD COLUMN by_from TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN change TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN environments TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN was TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN became TEXT NOT NULL DEFAULT '';
CREATE INDEX events_changes ON events (id) WHERE change <> '';
`, `
CREATE TABLE months (
	month          TEXT NOT NULL,
	environment    TEXT NOT NULL,
	hours_off      DOUBLE PRECISION NOT NULL,
	saved          DOUBLE PRECISION NOT NULL,
	lost_failed    DOUBLE PRECISION NOT NULL,
	lost_overrides DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (month, environment)
);
CREATE TABLE summed (
	what     TEXT PRIMARY KEY,
	until_at BIGINT NOT NULL
);
`, `
CREATE TABLE sessions (
	hash       TEXT PRIMARY KEY,
	data       TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expire ON sessions (expires_at);
CREATE INDEX runs_asked ON runs (by_name, fire_at) WHERE by_name <> '';
CREATE INDEX overrides_asked ON overrides (by_name, until_at) WHERE by_name <> '';
`, `
CREATE TABLE calendar_keys (
	id         TEXT PRIMARY KEY,
	hash       TEXT NOT NULL UNIQUE,
	by_name    TEXT NOT NULL,
	by_via     TEXT NOT NULL,
	claims     TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
`, `
ALTER TABLE events ADD COLUMN project TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN schedule TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN fire_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN addressed BIGINT NOT NULL DEFAULT 1;
CREATE INDEX events_unaddressed ON events (id) WHERE addressed = 0;
CREATE TABLE deliveries (
	id       TEXT PRIMARY KEY,
	receiver TEXT NOT NULL,
	topic    TEXT NOT NULL,
	at       BIGINT NOT NULL,
	due_at   BIGINT NOT NULL,
	action   TEXT NOT NULL,
	fire_at  BIGINT NOT NULL,
	tries    BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	owner    TEXT NOT NULL,
	done_at  BIGINT NOT NULL,
	message  TEXT NOT NULL
);
CREATE INDEX deliveries_pending ON deliveries (receiver, tries, id) WHERE done_at = 0;
CREATE INDEX deliveries_topic ON deliveries (receiver, topic);
CREATE INDEX deliveries_done ON deliveries (done_at) WHERE done_at > 0;
CREATE TABLE delivery_events (
	delivery TEXT NOT NULL,
	event    TEXT NOT NULL,
	PRIMARY KEY (delivery, event)
);
CREATE TABLE warned (
	environment TEXT NOT NULL,
	stop_at     BIGINT NOT NULL,
	PRIMARY KEY (environment, stop_at)
);
CREATE INDEX warned_stop ON warned (stop_at);
CREATE TABLE links (
	delivery    TEXT NOT NULL,
	choice      TEXT NOT NULL,
	environment TEXT NOT NULL,
	used_at     BIGINT NOT NULL,
	overrides   TEXT NOT NULL,
	PRIMARY KEY (delivery, choice, environment)
);
CREATE INDEX links_used ON links (used_at);
CREATE TABLE keys (
	name   TEXT PRIMARY KEY,
	secret TEXT NOT NULL
);
`}

// projectTickets is the version since which a project has the ticket, and not each run.
const projectTickets = 5
