# An API behind Varnish: blocked clients are refused, tarpitted ones get three requests in ten seconds. Varnish cannot
# hold a request without holding a worker thread, so it turns the surplus away. Needs vsthrottle (Debian: varnish-modules).
#
#     curl -fsS --etag-save e --etag-compare e -o /etc/varnish/sundew-lists.vcl http://127.0.0.1:8080/feed/v1/snapshot.varnish
#
# before the start and every few seconds; after a change, varnishadm vcl.load and vcl.use, or Debian's varnishreload. Each
# reload compiles the lists: keep to a few thousand entries.
vcl 4.1;

import vsthrottle;

include "/etc/varnish/sundew-lists.vcl";

backend default {
    .host = "127.0.0.1";
    .port = "9080";
}

sub vcl_recv {
    if (req.url == "/healthz") {
        return (synth(204));
    }
    if (client.ip ~ sundew_block || client.ip ~ sundew_challenge) {
        return (synth(403));
    }
    if (client.ip ~ sundew_tarpit && vsthrottle.is_denied("sundew " + client.ip, 3, 10s)) {
        return (synth(429));
    }
}

sub vcl_synth {
    if (resp.status == 429) {
        set resp.http.Retry-After = "10";
    }
}
