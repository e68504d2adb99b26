package config

import (
	"slices"
	"time"

	"curfew/lcs"
	"curfew/lcs/remote"
	"curfew/scheduler/calendar"
)

// A key is one key of a section: what the decoder checks and the schema says of it.
type key struct {
	name     string
	doc      string // a sentence for the schema, with default, unit and example
	want     string // what a message says is wanted
	also     string // another word that people write for it
	required bool
	words    []string // all that are allowed, for a word

	low, high         float64 // bounds of a number, both included
	whole             bool    // the number has no fraction
	shortest, longest time.Duration

	shape shape
}

// A section is a kind of mapping in the file.
type section struct {
	title  string // with its article, for messages
	secret bool   // unknown keys may be secrets put in the wrong place
	keys   []key
	rules  shape // what the schema says of several keys together
}

func (s section) names() []string {
	list := make([]string, len(s.keys))
	for i, k := range s.keys {
		list[i] = k.name
	}
	return list
}

func (s section) has(name string) bool {
	return slices.ContainsFunc(s.keys, func(k key) bool { return k.name == name })
}

func (s section) key(name string) key {
	i := slices.IndexFunc(s.keys, func(k key) bool { return k.name == name })
	return s.keys[i]
}

const (
	day        = 24 * time.Hour
	wantZone   = "an IANA name such as Europe/Berlin"
	wantURL    = remote.Want
	wantSecret = "{file: PATH} or {env: NAME}"
)

func fileSection() section {
	list := func(name, doc string, s section) key {
		return key{name: name, doc: doc, want: "a list", shape: listOf(s.shape(), 0)}
	}
	return section{title: "the file", keys: []key{
		{name: "version", doc: "Version of the file format: always 1.", want: "1", required: true, shape: shape{"const": 1}},
		{name: "timezone", doc: "Zone of every schedule and exception that has none of its own. No default. Example: Europe/Copenhagen.", want: wantZone, shape: text()},
		{name: "currency", doc: "Display text of costs, at most 8 characters. Default: none. Example: EUR.", want: "text of at most 8 characters, such as EUR", shape: textUpTo(maxCurrency)},
		list("accounts", "Users who sign in to LCS.", accountSection()),
		list("projects", "LCS projects.", projectSection()),
		list("environments", "Environments to start and stop.", environmentSection()),
		list("calendars", "Holidays, on which no window begins and no start fires.", calendarSection()),
		list("schedules", "When environments should run.", scheduleSection()),
		list("exceptions", "Dated exceptions: they beat schedules and lose to overrides.", exceptionSection()),
		list("notify", "Receivers of notifications.", receiverSection()),
		{name: "access", doc: "Who may use the pages and the API, signed in with OpenID Connect. Default: whoever has the API token.", want: "a mapping with issuer, client_id and who may do what", shape: accessSection().shape()},
		{name: "defaults", doc: "What applies to every schedule.", want: "a mapping such as {catch_up: 2h}", shape: defaultsSection().shape()},
	}}
}

// named is the key name of a section.
func named(doc string) key {
	return key{name: "name", doc: doc, want: wantName, required: true, shape: nameShape()}
}

func accountSection() section {
	words := []string{ModePassword, ModeDelegated, ModeStatic}
	return section{title: "an account", rules: accountRules(), keys: []key{
		named("Name of the account. Example: main."),
		{name: "mode", doc: "How the account signs in: password (user name and password, without MFA), delegated (somebody signs in once with `curfew login`) or static (a token made elsewhere). No default.", want: oneOf(words), required: true, words: words, shape: enum(words)},
		{name: "tenant", doc: "Entra tenant, a domain or an id. Example: contoso.onmicrosoft.com.", want: "a domain or an id, such as contoso.onmicrosoft.com", shape: text()},
		{name: "client_id", doc: "Application (client) id registered in Entra. Example: 11111111-2222-3333-4444-555555555555.", want: "the application id, such as 11111111-2222-3333-4444-555555555555", shape: text()},
		{name: "username", doc: "User who signs in. Example: svc-lcs@contoso.com.", want: "a user such as svc-lcs@contoso.com", shape: text()},
		secret("password", "Where the password is kept. Only for mode password."),
		secret("client_secret", "Where the secret of the application is kept, if it has one. Only for modes password and delegated."),
		secret("token", "Where the token is kept. Only for mode static."),
		{name: "scope", doc: "Scope of the token. Default: derived from the endpoint of the project. Example: https://lcsapi.lcs.dynamics.com//.default.", want: "a scope such as https://lcsapi.lcs.dynamics.com//.default", shape: text()},
		{name: "authority", doc: "Address that issues tokens. Default: derived from the endpoint of the project. Example: https://login.microsoftonline.com.", want: wantURL, shape: text()},
	}}
}

func secret(name, doc string) key {
	return key{name: name, doc: doc + " Example: {file: /run/secrets/lcs}.", want: wantSecret, shape: secretSection(name).shape()}
}

func secretSection(name string) section {
	return section{title: name, secret: true, rules: shape{"minProperties": 1, "maxProperties": 1}, keys: []key{
		{name: "file", doc: "Path of a file that holds the secret, relative to the schedule file. Example: /run/secrets/lcs-password.", want: "a path", shape: text()},
		{name: "env", doc: "Environment variable that holds the secret. Example: LCS_PASSWORD.", want: "the name of an environment variable", shape: shape{"type": "string", "pattern": envPattern}},
	}}
}

func projectSection() section {
	regions := lcs.Regions()
	return section{title: "a project", keys: []key{
		named("Name of the project. Example: contoso."),
		{name: "id", doc: "Number of the project in LCS. Example: 1234567.", want: "the number of the project in LCS", required: true, low: 1, high: 1 << 53, whole: true, shape: integer(1, 1<<53)},
		{name: "account", doc: "Account or accounts that sign in: calls are spread over them, each has its own LCS quota.", want: "the name of an account, or a list of names", required: true, shape: oneOrListOf(nameShape())},
		{name: "region", doc: "LCS region of the project. Default: us.", want: oneOf(regions), words: regions, shape: enum(regions)},
		{name: "endpoint", doc: "Base address of the LCS API, in place of the region's; plain http for loopback addresses only. Example: http://127.0.0.1:9000.", want: wantURL, shape: text()},
		{name: "scope", doc: "Scope of the token for this project. Default: derived from the endpoint.", want: "a scope such as https://lcsapi.lcs.dynamics.com//.default", shape: text()},
	}}
}

func environmentSection() section {
	return section{title: "an environment", keys: []key{
		named("Name of the environment. Example: dev-01."),
		{name: "project", doc: "Project that the environment belongs to.", want: "the name of a project", required: true, shape: nameShape()},
		{name: "id", doc: "Id of the environment as LCS shows it. Example: 55eb4327-9346-4c7b-82bd-fe8ef15112c6.", want: wantID, required: true, shape: shape{"type": "string", "pattern": idPattern}},
		{name: "tags", doc: "Tags by which schedules select environments. Default: none. Example: [dev, team-a].", want: "a list of tags", shape: listOf(nameShape(), 0)},
		{name: "cost_per_hour", doc: "What the environment costs while it runs, in the currency of the file. Default: 0. Example: 1.25.", want: "a number from 0 to 1000000", high: 1e6, shape: number(0, 1e6)},
	}}
}

func calendarSection() section {
	countries := calendar.Countries()
	days := func(name, doc string) key {
		return key{name: name, doc: doc, want: "days such as 2026-12-24 or ranges such as 2026-12-31/2027-01-01", shape: oneOrListOf(shape{"type": "string", "pattern": datesPattern})}
	}
	return section{
		title: "a calendar",
		rules: anyOf(required("country"), required("dates"), required("ics")),
		keys: []key{
			named("Name of the calendar. Example: dk."),
			{name: "country", doc: "Country whose national holidays count, ISO 3166-1 alpha-2. Example: DK.", want: "a code such as DK", words: countries, shape: enum(countries)},
			{name: "region", doc: "Part of the country whose regional holidays count too, ISO 3166-2 without the country. Default: none. Example: BY (of DE).", want: "the part of an ISO 3166-2 code behind the hyphen, such as BY", shape: shape{"type": "string", "pattern": regionPattern}},
			days("dates", "Days and ranges, both ends included. Example: [2026-12-24, 2026-12-31/2027-01-01]."),
			{name: "ics", doc: "iCalendar files, relative to the schedule file: paths, or mappings that choose events. An event takes a day off when it covers it whole. Example: holidays.ics.", want: "the path of an iCalendar file, or {file: PATH, only: [PATTERN], except: [PATTERN]}", shape: oneOrListOf(anyOf(text(), icsSection().shape()))},
			days("except", "Days of the above that are worked. Default: none. Example: [2026-06-05]."),
		},
	}
}

func icsSection() section {
	globs := func(name, doc string) key {
		return key{name: name, doc: doc, want: "a glob such as \"*closed*\", or a list of them", shape: oneOrListOf(text())}
	}
	return section{title: "an entry of ics", keys: []key{
		{name: "file", doc: "Path of the iCalendar file, relative to the schedule file. Example: holidays.ics.", want: "the path of an iCalendar file", required: true, shape: text()},
		globs("only", "Globs, in any case: an event counts only if its SUMMARY, one of its CATEGORIES or its DESCRIPTION is like one of them. Default: all events. Example: [\"*closed*\"]."),
		globs("except", "Globs, in any case: an event with such a SUMMARY, CATEGORIES or DESCRIPTION does not count. Default: none. Example: [\"*half day*\"]."),
	}}
}

// selectorKey is the key environments of schedules and exceptions.
func selectorKey() key {
	return key{
		name: "environments", doc: "Names, globs such as \"dev-*\", and \"tag:NAME\". Each must match an environment. Example: [\"tag:dev\"].",
		want: "names, globs or tag:NAME", required: true, shape: oneOrListOf(text()),
	}
}

func uptimeKey() key {
	return key{
		name: "uptime", doc: "Weekly windows in which the environments should run. Example: mon-fri 07:00-19:00.",
		want: "a window such as mon-fri 07:00-19:00, or a list of them", shape: oneOrListOf(text()),
	}
}

func scheduleSection() section {
	enforce := []string{EnforceEdges, EnforceAlways}
	trigger := "HH:MM or a cron expression, or a list of them"
	zone := key{name: "timezone", doc: "Zone of the schedule. Default: that of the file. Example: America/New_York.", want: wantZone, shape: text()}
	return section{title: "a schedule", rules: scheduleRules(), keys: []key{
		named("Name of the schedule. Example: office-hours."),
		selectorKey(),
		uptimeKey(),
		{name: "start", doc: "When to start: HH:MM on days, or a cron expression of five fields. Not together with uptime. Example: \"06:30\".", want: trigger, shape: oneOrListOf(text())},
		{name: "stop", doc: "When to stop: HH:MM on days, or a cron expression of five fields. Not together with uptime. Example: \"0 22 * * *\".", want: trigger, shape: oneOrListOf(text())},
		{name: "days", doc: "Days on which the times of start and stop apply. Default: every day. Example: mon-fri.", want: "days such as mon-fri", shape: text()},
		zone,
		{name: "calendar", doc: "Calendar on whose days no window begins and no start fires. Default: none. Example: dk.", want: "the name of a calendar", shape: nameShape()},
		{name: "warn", doc: "How long before a stop to notify, at most 1d. Default: that of defaults. Example: 30m.", want: "a duration such as 30m", longest: day, shape: durationShape()},
		{name: "lead", doc: "How much earlier to start, so that environments are up in time: a duration of at most 12h, or auto (learned). Default: 0. Example: auto.", want: "a duration such as 30m, or auto", longest: 12 * time.Hour, shape: shape{"anyOf": []shape{{"const": leadAuto}, durationShape()}}},
		{name: "enforce", doc: "edges: act at boundaries only; always: also correct environments that drift. Default: edges.", want: oneOf(enforce), words: enforce, shape: enum(enforce)},
		{name: "enabled", doc: "Whether the schedule has any effect. Default: true.", want: "true or false", shape: shape{"type": "boolean"}},
	}}
}

func exceptionSection() section {
	keep := []string{"running", "stopped"}
	when := "a day such as 2026-12-28, or a time such as \"2026-12-28 18:00\""
	return section{title: "an exception", rules: exceptionRules(), keys: []key{
		selectorKey(),
		{name: "from", doc: "Start, included: a day (from midnight), a local time, or RFC 3339. Example: 2026-12-28.", want: when, shape: text()},
		{name: "until", also: "to", doc: "End, excluded: a day (until midnight), a local time, or RFC 3339. Example: 2027-01-02.", want: when, shape: text()},
		{name: "date", doc: "The one day of the exception, in place of from and until. Example: 2026-12-29.", want: "a day such as 2026-12-29", shape: shape{"type": "string", "pattern": datePattern}},
		{name: "keep", doc: "State to keep the environments in. Example: stopped.", want: oneOf(keep), words: keep, shape: enum(keep)},
		uptimeKey(),
		{name: "reason", doc: "Why, for people. Default: none. Example: Christmas.", want: "text", shape: text()},
		{name: "timezone", doc: "Zone of the exception. Default: that of the file.", want: wantZone, shape: text()},
	}}
}

func receiverSection() section {
	return section{title: "a receiver", keys: []key{
		named("Name of the receiver. Example: ops."),
		{name: "url", doc: "Where the URL is kept, of a Teams workflow or of shoutrrr; it carries secrets and is not written here. Example: {env: CURFEW_TEAMS_URL}.", want: wantSecret, required: true, shape: secretSection("url").shape()},
		{name: "on", doc: "What to notify of. Default: [failed, missed, warning, unreachable, approval, config].", want: "a list of " + oneOf(notifications()), words: notifications(), shape: oneOrListOf(enum(notifications()))},
		onlySelectorKey(),
		{name: "summary_at", doc: "When the summary of the day is sent, in the zone of the file. Default: \"08:00\". Example: \"17:30\".", want: wantClock, shape: shape{"type": "string", "pattern": clockPattern}},
	}}
}

func notifications() []string {
	return []string{"failed", "missed", "warning", "unreachable", "succeeded", "summary", "override", "throttled", "approval", "drift", "config"}
}

const (
	wantClock    = "a time such as \"08:00\", from 00:00 to 23:59"
	clockPattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
)

// onlySelectorKey is selectorKey where it is not required.
func onlySelectorKey() key {
	k := selectorKey()
	k.required, k.doc = false, "Notify only of what concerns these: names, globs such as \"dev-*\", and \"tag:NAME\". Default: all. Example: [\"tag:team-a\"]."
	return k
}

func defaultsSection() section {
	orders := []string{OrderCost, OrderFile}
	length := func(name, doc string, shortest, longest time.Duration) key {
		return key{name: name, doc: doc, want: "a duration such as 45m or 2h", shortest: shortest, longest: longest, shape: durationShape()}
	}
	return section{title: "defaults", keys: []key{
		length("catch_up", "How late a missed fire is still run, at most 31d. Default: 2h.", 0, 31*day),
		length("deadline", "How long a run is retried, 1m to 7d. Default: 2h.", time.Minute, 7*day),
		length("warn", "How long before a stop to notify, at most 1d; for schedules without their own. Default: 0, not at all.", 0, day),
		{name: "order", doc: "Which environment goes first when LCS cannot take all at once: cost (stop the most expensive first) or file. Default: cost.", want: oneOf(orders), words: orders, shape: enum(orders)},
		length("verify_timeout", "How long an accepted run may take to arrive, 1m to 1d. Default: 45m.", time.Minute, day),
		{name: "max_stops_per_fire", doc: "A fire that would stop more environments waits for an approval. Default: 0, no bound.", want: "a whole number from 0 to 1000000", high: 1e6, whole: true, shape: integer(0, 1e6)},
	}}
}
