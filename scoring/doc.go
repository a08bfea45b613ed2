// Package scoring turns events into scores: an evidence ledger for every address, network, device, account and key.
//
// Each channel (CHANNELS.md lists them) is a duel between two predictions of what an entity does next. The null is what a legitimate entity of that kind does, shrunk towards
// the entity's own trusted past. The alternative learns today's behaviour. The ratio of the two is evidence; its
// expectation under the null is at most 1, so the product over a day is a test martingale. A mixture over start times
// turns it into a running e-value that a long good history cannot bury (the Shiryaev-Roberts statistic as an e-process;
// Shin, Ramdas and Rinaldo, "E-detectors"). With prior odds, the e-value becomes a score from 0 to 100 whose
// false-positive rate per client-day is bounded as far as the null is right.
//
// The package is a pure function of the log: no clock, no I/O, no randomness, no map order. The same lines give the same
// scores on any number of workers and in batches of any size.
package scoring
