// Package sundew is the vocabulary of the engine and the loop that joins its rooms.
//
// A request log line becomes an [Event]. Scoring turns events into a [Score] per [Entity] they name, each with the
// [Evidence] it rests on. Rules turn scores into a [Decision]: observe, tarpit, challenge or block, always with an
// expiry. The decisions in force at one moment are a [Blocklist], which edges pull. [Pipeline] carries one partition of
// the log along that way.
//
// The package uses the standard library alone, and every room (ingest, scoring, rules, edge, store, sim, dashboards)
// imports only this package; cmd/sundew wires them. Scoring and rules take time as data: nothing here reads a clock.
package sundew
