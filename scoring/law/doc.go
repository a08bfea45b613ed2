// Package law holds the statistics that calibration rests on: tails of distributions, fits of their parameters and rules
// that merge or weigh evidence.
//
// Everything far out is in natural logarithms, because the tails that matter are smaller than the smallest float64; gonum's
// tails become 0 there. All functions are pure, safe for concurrent use and give the same bits for the same input on one
// architecture, Log on all: fits do not depend on the order of a sample, use no randomness and stop after a fixed number of steps.
package law
