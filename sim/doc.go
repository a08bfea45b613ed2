// Package sim makes the traffic of a mobile app's API whose truth is known: who is a person, who is an attacker, and
// which requests are whose. Tests measure detection and false positives on it, and demonstrations run on it.
//
// [New] lays out a shop with an app, a web page, partners, a crawler and a monitor, and [Traffic] yields their requests in event
// order, together with those of the attacks that [Config] asks for. It may also ask for incidents, in which legitimate clients
// behave worse or come more often than else. Everything follows from the configuration and its seed: the same
// configuration gives the same bytes, and adding an attack or an incident leaves the requests of everybody whom it does
// not concern as they were.
//
// Addresses come from the ranges reserved for benchmarks and documentation (RFC 2544, RFC 3849, RFC 5737), system
// numbers from RFC 5398, so that nothing here can be taken for a real network.
package sim
