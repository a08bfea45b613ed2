package sundew

import "time"

// Feature is the number of one count in Features. The catalogue below is what rules, documentation and store read, so a
// new feature is one line there and one in scoring.
type Feature uint8

// The features, in the order of the catalogue.
const (
	Requests1m Feature = iota
	Requests10m
	Requests1h
	ClientErrors10m
	NotFound10m
	Denied10m
	ServerErrors10m
	RateLimited10m
	AuthAttempts10m
	AuthFailures10m
	ClientErrorRatio10m
	AuthFailureRatio10m
	DistinctPaths1h
	DistinctAccounts1h
	DistinctDevices1h
	DistinctObjects1h
	DistinctUserAgents1h
	DistinctUsernames1h
	BytesOut10m
	AgeSeconds
	TenuredDevices24h
	FailureLift10m
	NumFeatures = iota
)

// Features are the counts of one entity after an event, indexed by Feature. A feature that cannot be known is 0.
type Features [NumFeatures]float64

// FeatureInfo describes a feature to those who write rules.
type FeatureInfo struct {
	Name   string        // as rules spell it behind the kind: ip.requests_1m
	Window time.Duration // the time it looks back; 0 where there is none
	Unit   string
	Help   string
}

// Catalogue describes every feature, indexed by Feature. Counts over a window slide in two buckets, the elder weighted
// by what is left of it; distinct counts come from small bitmaps and saturate near 250.
var Catalogue = [NumFeatures]FeatureInfo{
	Requests1m:           {"requests_1m", time.Minute, "requests", "requests in the last minute"},
	Requests10m:          {"requests_10m", 10 * time.Minute, "requests", "requests in the last 10 minutes"},
	Requests1h:           {"requests_1h", time.Hour, "requests", "requests in the last hour"},
	ClientErrors10m:      {"client_errors_10m", 10 * time.Minute, "requests", "responses with status 400 to 499"},
	NotFound10m:          {"not_found_10m", 10 * time.Minute, "requests", "responses with status 404 or 410"},
	Denied10m:            {"denied_10m", 10 * time.Minute, "requests", "responses with status 401 or 403"},
	ServerErrors10m:      {"server_errors_10m", 10 * time.Minute, "requests", "responses with status 500 to 599"},
	RateLimited10m:       {"rate_limited_10m", 10 * time.Minute, "requests", "responses with status 429"},
	AuthAttempts10m:      {"auth_attempts_10m", 10 * time.Minute, "requests", "requests that carry auth.outcome, or that a login route answered with 401 or 403"},
	AuthFailures10m:      {"auth_failures_10m", 10 * time.Minute, "requests", "authentication attempts that failed"},
	ClientErrorRatio10m:  {"client_error_ratio_10m", 10 * time.Minute, "ratio", "client_errors_10m / requests_10m, 0 without requests"},
	AuthFailureRatio10m:  {"auth_failure_ratio_10m", 10 * time.Minute, "ratio", "auth_failures_10m / auth_attempts_10m, 0 without attempts"},
	DistinctPaths1h:      {"distinct_paths_1h", time.Hour, "paths", "different paths asked for"},
	DistinctAccounts1h:   {"distinct_accounts_1h", time.Hour, "accounts", "different accounts seen with it"},
	DistinctDevices1h:    {"distinct_devices_1h", time.Hour, "devices", "different devices seen with it"},
	DistinctObjects1h:    {"distinct_objects_1h", time.Hour, "objects", "different object ids asked for"},
	DistinctUserAgents1h: {"distinct_user_agents_1h", time.Hour, "user agents", "different user agents shown"},
	DistinctUsernames1h:  {"distinct_usernames_1h", time.Hour, "user names", "different user names tried"},
	BytesOut10m:          {"bytes_out_10m", 10 * time.Minute, "bytes", "response bytes sent"},
	AgeSeconds:           {"age_seconds", 0, "seconds", "time since the entity was first seen"},
	TenuredDevices24h:    {"tenured_devices_24h", 24 * time.Hour, "devices", "different devices at least a day old, today or yesterday by UTC, whichever is more; fresh ones do not count"},
	FailureLift10m:       {"failure_lift_10m", 10 * time.Minute, "ratio", "how many times more of the known entities of its kind fail than usual, 1 in ordinary times: above it, the service or a release is to blame"},
}
