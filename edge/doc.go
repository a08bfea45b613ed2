// Package edge carries decisions to the places that enforce them, and enforces them.
//
// On the control plane a [Log] numbers every change of the list of decisions in force. Everything else is a view of it:
// [NewFeed] serves the changes and whole snapshots to sundew's own edges and to proxies that read map files;
// [NewCrowdSec] speaks the local API that CrowdSec's bouncers poll.
//
// Next to the API a [Follower] keeps a [Table] equal to the log, and [NewProxy] looks every request up in it: it delays
// before it refuses, and it forwards whenever it does not know better. A [Shipper] sends a line for each request back to
// ingest, with what the edge did to it, so that scoring does not mistake our delay for the client's.
//
// An edge that loses its control plane keeps its last list. Each decision ends by itself at its own expiry, and what is
// harder than a tarpit is softened to one once the list is stale.
package edge
