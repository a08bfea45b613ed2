// Package quality measures detection and false positives on simulated traffic whose truth is known.
//
// The unit is the legitimate client-day: a person or machine on one UTC day. A client-day is a false positive when any
// of its requests fell under a decision in force, whoever the decision was about: who shares an address with an abuser
// and is delayed for it counts. Attacks are judged by campaign: whether a decision ever covered one of its requests, after
// how many requests and seconds, and how many requests went through untouched.
//
// Legitimate clients do not react: a blocked request is counted and not taken out of the traffic. Neither do attackers, who
// carry on as planned, but where Config.Adaptive lets them slow down and move.
package quality
