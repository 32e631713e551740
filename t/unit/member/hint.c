/* SPDX-License-Identifier: Apache-2.0 */
#include "src/member/lbs_hint.h"
#include "t/unit/tap.h"

#include <string.h>

static void says(const char *last, const char *part)
{
    const char *hint = lbs_hint_of_check(last);

    ok(strstr(hint, part) != NULL && strncmp(hint, "; ", 2) == 0, "%s%s", last,
       hint);
}

int main(void)
{
    says("HTTP 400, want 200-399", "ALLOWED_HOSTS");
    says("HTTP 301, want 200", "SECURE_PROXY_SSL_HEADER");
    says("HTTP 403, want 200", "path=");
    says("HTTP 404, want 200", "path=");
    says("HTTP 421, want 200", "LBStickyForward host=off");
    says("connect: Connection refused", "does it run");
    says("connect: timeout after 2s", "firewall");
    says("connect: Network is unreachable", "address");
    says("resolve: unknown host web1", "name in BalancerMember");
    says("TLS: SSL: certificate subject name 'a' does not match target host "
         "name '10.0.0.1'",
         "SSLProxyCheckPeerName off");
    says("TLS: SSL: no alternative certificate subject name matches target "
         "host name '10.0.0.1'",
         "SSLProxyCheckPeerName off");
    says("TLS: SSL certificate problem: self-signed certificate",
         "SSLProxyCACertificateFile");
    says("TLS: timeout after 2s", "http:// in BalancerMember");
    says("answer: it is not HTTP", "scheme");
    says("answer: timeout after 2s", "timeout=");
    is_str(lbs_hint_of_check("HTTP 500, want 200-399"), "", "HTTP 500");
    is_str(lbs_hint_of_check("HTTP 200, want 204"), "", "HTTP 200");
    is_str(lbs_hint_of_check("TLS: the certificate is not valid today"), "",
           "a certificate that is over");
    is_str(lbs_hint_of_check(""), "", "nothing");
    return done_testing();
}
