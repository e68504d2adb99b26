package config

// A message is the template of a problem: what is wrong, then what is wanted. All of
// them stand here, so that a test can see each in a golden file.
type message string

// Of the file as a whole.
const (
	msgCannotRead       message = "the file cannot be read: %s; want a schedule file"
	msgDirectory        message = "this is a directory; want a schedule file"
	msgTooLarge         message = "the file is larger than %d MiB; want a schedule file"
	msgNotText          message = "this is not a text file; want YAML in UTF-8"
	msgTooManyPieces    message = "the file has more than %d lines, commas and brackets; want a schedule file"
	msgEmpty            message = "the file is empty; want version: 1, environments and schedules"
	msgSeveralDocuments message = "a second document begins here; want one document in a file"
	msgSyntax           message = "this is not valid YAML: %s"
	msgOddSpace         message = "%s stands here; want an ordinary space, or none"
	msgTypographic      message = "%s begins with %s, which YAML does not take for a quote; want \" or '"
	msgTooDeep          message = "values are nested more than %d deep; want the structure of a schedule file"
	msgTag              message = "the value begins with !, which makes it a YAML tag; want it without, or in quotes"
	msgAliasLoop        message = "the alias stands for something that contains it; want a value"
	msgTooManyAliases   message = "aliases stand for more than %d values; want them written out"
	msgMerge            message = "<< merges something that is not a mapping; want an alias of a mapping, or a list of them"
)

// Of keys and values.
const (
	msgWantMapping    message = "found %s where %s is wanted; want a mapping with the keys %s"
	msgWantKind       message = "%s is %s; want %s"
	msgWantQuotes     message = "%s is %s; want %s, in quotes if need be"
	msgBlank          message = "%s is blank; want %s"
	msgStrangeText    message = "%s is longer than %d bytes or has control characters; want %s"
	msgPlainNumber    message = "%s %s is not a plain number; want %s"
	msgNumberBounds   message = "%s %s is out of bounds; want %s"
	msgClock          message = "summary_at %q is not a time; want %s"
	msgDuration       message = "%s %q is not a duration; want %s"
	msgDurationBounds message = "%s %s is out of bounds; want %s to %s"
	msgEmptyList      message = "%s is an empty list; want %s"
	msgLongList       message = "%s has more than %d entries; want fewer"
	msgKeyNotText     message = "the key is not text; want a name"
	msgUnknownKey     message = "unknown key %q in %s; %s"
	msgDuplicateKey   message = "the key %s stands here a second time, first on line %d; want it once"
	msgNoValue        message = "%s has no value; want %s"
	msgMissingKey     message = "%s has no %s; want %s"
	msgUnknownWord    message = "unknown %s %q; %s"
	msgVersion        message = "version %s is not known; want 1"
	msgCurrency       message = "currency %q is longer than %d characters; want text such as EUR"
	msgZone           message = "unknown time zone %q; %s"
	msgZoneLocal      message = "the time zone %q depends on the machine; want %s"
	msgZoneWindows    message = "%q is a time zone name of Windows; want its IANA name %q"
	msgZoneOffset     message = "the time zone %q is an offset, which has no summer time; want %s%s"
	msgZoneFixed      message = "the time zone %s has no summer time%s; want %s, unless that is meant"
	msgURL            message = "%s is not an address that can be used: %s; want %s"
)

// Of names.
const (
	msgBadName       message = "%s name %q is not valid; want %s"
	msgDuplicateName message = "the %s %q is already named as %q on line %d; want a name of its own"
	msgUnknownName   message = "unknown %s %q; %s"
	msgUnused        message = "the %s %q is not used; want %s, or the entry removed"
)

// Of accounts, projects and environments.
const (
	msgSecretInClear   message = "%s is written in the file; want " + wantSecret + ", and a new secret, since this one has been seen"
	msgVariable        message = "%s is a variable, which is not replaced in the file; want %s"
	msgSecretKey       message = "unknown key in %s; want " + wantSecret
	msgSecretBoth      message = "%s has neither file nor env, or both; want one of them"
	msgEnvName         message = "env is not the name of an environment variable; want letters, digits and _"
	msgModeNeeds       message = "an account of mode %s has no %s; want %s"
	msgModeRefuses     message = "%s has no effect on an account of mode %s; want it left out"
	msgTenant          message = "tenant %q is neither a domain nor an id; want one such as contoso.onmicrosoft.com"
	msgClientID        message = "client_id %q is not an id; want one such as 11111111-2222-3333-4444-555555555555"
	msgSameUser        message = "account %q signs in as the user of account %q on line %d: LCS counts their calls together, and curfew does not; want another user, or one account"
	msgTwoClouds       message = "the account %q signs in to the %s cloud for project %q on line %d, and to the %s cloud for this one; want an account for each"
	msgSameAccount     message = "the account %q is named twice; want it once"
	msgRegionUnused    message = "region has no effect next to endpoint; want one of them"
	msgSameProject     message = "project %q has the id and endpoint of project %q on line %d; want one project"
	msgEnvironmentID   message = "id %q is not an environment id; want %s"
	msgSameEnvironment message = "environment %q has the project and id of environment %q on line %d; want each environment once"
	msgBadTag          message = "tag %q is not valid; want %s"
)

// Of calendars.
const (
	msgCalendarEmpty     message = "the calendar has no days; want country, dates or ics"
	msgCountry           message = "no country has the code %q; %s"
	msgCountryNotOffered message = "the holidays of country %q are not known; want dates or ics for them, or one of %s"
	msgRegionAlone       message = "region means nothing without country; want both"
	msgNoRegions         message = "the regional holidays of %s are not known; want it without region, and dates or ics for what %q has besides"
	msgRegion            message = "no region of %s has the code %q, or its holidays are not known; want one of %s"
	msgDateRange         message = "range %q ends before it begins; want the earlier day first"
	msgICSRead           message = "ics %q cannot be read: %s; want an iCalendar file"
	msgICS               message = "%s"
	msgICSShort          message = "ics %q has %s that took no day off: only an event that covers a whole day does"
)

// Of schedules and exceptions.
const (
	msgRule           message = "%s"
	msgSelector       message = "no environment is selected by %q; %s"
	msgTagSpace       message = "environments is a mapping; want \"tag:%s\", without a space"
	msgGlob           message = "the glob %q is not valid; want * ? and [...]"
	msgSelection      message = "the schedules and exceptions select more than %d environments in all; want fewer"
	msgNoRule         message = "the schedule has neither uptime nor start or stop; want one of them"
	msgTwoRules       message = "the schedule has uptime and start or stop; want one of the two"
	msgDaysUptime     message = "days does not apply to uptime; want the days in the window, such as %s 07:00-19:00"
	msgDaysCron       message = "days applies to no time of this schedule; want it in the cron expressions, or times such as 07:00"
	msgStartLater     message = "start %s is later than stop %s on the same days; if the environments should run overnight, want uptime: %s %s-%s"
	msgLeadEvents     message = "lead has no effect on start and stop; want uptime, or an earlier start"
	msgStartIsStop    message = "stop %s is also a start, which wins; want another time"
	msgNoZone         message = "%s has no time zone; want timezone here or for the whole file"
	msgMixed          message = "schedule %q has start or stop for %s and schedule %q has uptime; want one of the two for an environment"
	msgNoTime         message = "the exception has no time; want date, or from and until"
	msgDateSpan       message = "%q is not a date; for several days want from: %s and until: %s (the first day after)"
	msgTwoTimes       message = "the exception has date and from or until; want date, or from and until"
	msgHalfTime       message = "the exception has no %s; want from and until"
	msgNoEffect       message = "the exception has neither keep nor uptime; want one of them"
	msgTwoEffects     message = "the exception has keep and uptime; want one of them"
	msgTime           message = "%s %q is not a time; want %s"
	msgEndsFirst      message = "the exception ends at %s, which is not after its start at %s; want a later until"
	msgUntilDay       message = "the exception ends when %s begins: that day is not part of it"
	msgPast           message = "the exception ended at %s; want it removed"
	msgWindowNever    message = "the window %q does not begin on any day of the exception; want one that does"
	msgTooManyEntries message = "%s has more than %d entries; want fewer"
)

// Of access.
const (
	msgIssuerDocument message = "issuer is the address of the provider's document; want the issuer alone, %s"
	msgIssuerTenants  message = "issuer %s lets in the users of every tenant; want that of yours, such as https://login.microsoftonline.com/TENANT-ID/v2.0"
	msgWho            message = "%q names nobody; %s"
	msgNoRole         message = "access has neither viewer, requester nor operator, so that nobody may do anything; want one of them"
	msgPublicURL      message = "people sign in at the address of the pages: serve needs --public-url or CURFEW_PUBLIC_URL"
)

// What is true of the file and may surprise.
const (
	msgCalendarEnded message = "the calendar %q has no day in the coming twelve months%s; want new dates or a newer .ics file"
	msgNoSchedules   message = "the file has no schedules; nothing will be started or stopped"
	msgOnlyException message = "no schedule selects the environment %q, exceptions alone do; want a schedule that selects it, unless that is meant"
	msgZoneChange    message = "schedule %q, %s of %s: %s"
	msgQuota         message = "fire %s %ss %d environments of project %s with %s: LCS allows %d calls per account in %d minutes: the last call goes %s later; with %d accounts it would be at once"
	msgWarnNobody    message = "the schedule has warn, and no receiver in notify takes warnings: nobody is warned"
	msgLinksOff      message = "the daemon has no --public-url: warnings of stops carry no links to keep an environment running; want --public-url, or CURFEW_PUBLIC_URL"
	msgLinksUnknown  message = "warnings of stops carry links if the daemon has --public-url; CURFEW_PUBLIC_URL is not set here, so that this is not known"
	msgShortGap      message = "a window ends at %s and %s begins at %s, %s later: the environments are stopped and started again; want %s"
	msgSwapped       message = "the window %s runs through the night and leaves out the day; if start and end are swapped, want %s %s-%s; if the night is meant, want two windows that meet at 24:00"
	msgLongWindow    message = "the window %s of %s is left out whole, since it begins on a day of calendar %q, %s within twelve months; want a window for each day"
	msgLongStart     message = "the start at %s is left out, since its day is in calendar %q, and nothing starts the environments for more than a day, %s within twelve months; want a start on each day"
	msgStopLost      message = "the stop at %s has no effect, since schedule %q starts the same environments at that instant and a start wins; want different times"
	msgUndone        message = "the %s at %s comes %s after schedule %q has a %s of the same environments; want one of the two, or other times"
	msgApprovals     message = "the fire of %s, more than max_stops_per_fire, %d, and waits for an approval, on %d of the next %d days; want a higher max_stops_per_fire, or other times"
	msgHours         message = "schedule %q keeps its environments up %s hours a week"
	msgNoLookahead   message = "the file is too large to look ahead for all daylight-saving changes, contradicting starts and stops, and LCS quota"
)
