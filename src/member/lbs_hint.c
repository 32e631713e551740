/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_hint.c - see lbs_hint.h. */
#include "src/member/lbs_hint.h"

#include <stddef.h>
#include <string.h>

/* The first row counts whose start and part the result has. */
static const struct {
    const char *start;
    const char *part; /* NULL: any */
    const char *text;
} hints[] = {
    {"HTTP 400", NULL,
     "; does it know the name it is asked for (Django: ALLOWED_HOSTS), does "
     "it "
     "want https:// in BalancerMember?"},
    {"HTTP 421", NULL,
     "; it wants another name: LBStickyForward host=off, host= of "
     "LBStickyCheck"},
    {"HTTP 401", NULL, "; take a path= without a login for LBStickyCheck"},
    {"HTTP 403", NULL,
     "; take a path= for LBStickyCheck that this machine may see"},
    {"HTTP 404", NULL,
     "; there is no such page: is path= of LBStickyCheck "
     "right, has BalancerMember a slash at its end?"},
    {"HTTP 3", NULL,
     "; to https: is it told of it (Django: SECURE_PROXY_SSL_HEADER)? To "
     "another page: take that one as path= of LBStickyCheck"},
    {"TLS: ", "does not match",
     "; write that name into BalancerMember, or SSLProxyCheckPeerName off"},
    {"TLS: ", "no alternative certificate subject name",
     "; write that name into BalancerMember, or SSLProxyCheckPeerName off"},
    {"TLS: ", "certificate problem",
     "; does SSLProxyCACertificateFile hold the authority that signed it?"},
    {"TLS: ", "not valid today", NULL},
    {"TLS: ", NULL,
     "; does it speak TLS at that port? If not: http:// in BalancerMember"},
    {"resolve: ", NULL, "; is the name in BalancerMember right?"},
    {"connect: ", "refused",
     "; does it run, and listen at that address and port?"},
    {"connect: ", "imeout", "; is a firewall between, does that machine run?"},
    {"connect: ", "unreachable",
     "; is the address in BalancerMember right, does that machine run?"},
    {"answer: ", "not HTTP", "; is the scheme in BalancerMember right?"},
    {"answer: ", "timeout",
     "; is it busy, or path= a slow page? timeout= of LBStickyCheck waits "
     "longer"},
};

const char *lbs_hint_of_check(const char *last)
{
    size_t i;

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strncmp(last, hints[i].start, strlen(hints[i].start)) == 0
            && (hints[i].part == NULL
                || strstr(last, hints[i].part) != NULL)) {
            return hints[i].text != NULL ? hints[i].text : "";
        }
    }
    return "";
}
