// Package dashboards is the analysts' console: what is happening, who is behind it, and why a decision was made, down
// to the requests it rests on.
//
// [New] returns one [net/http.Handler] that answers every page as HTML and, under /api/v1/, as JSON from the same
// model. Pages are rendered on the server and work without script; charts are SVG written by Go; style sheet, script
// and icon are embedded, and nothing is fetched from another host. The console only reads: it asks its [Reader] for
// history and its [Lister] for the decisions in force, and answers GET and HEAD alone.
//
// Everything that a page shows of a log was chosen by whoever sent the request. It reaches HTML through html/template
// and SVG through an escaping encoder, invisible and bidirectional characters are spelled out, and no such value becomes
// the target of a link, but for addresses of the console's own pages with the value path-escaped.
//
// Links are relative to the page's base, so the console works behind a path prefix under [net/http.StripPrefix] and
// behind a proxy that strips one.
package dashboards
