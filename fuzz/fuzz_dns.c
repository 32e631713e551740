/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of a name server, its first byte the type that was asked for; the
 * same bytes as a hosts file. */
#include "src/roster/lbs_dns.h"

#include "fuzz/input.h"

static void check(const lbs_dns_reply_t *reply, lbs_dns_type_t type)
{
    int i;

    must(reply->said != LBS_ROSTER_NOTHING && reply->said < LBS_ROSTER_SAIDS);
    must(reply->said != LBS_ROSTER_GOOD || reply->records->nelts > 0);
    for (i = 0; reply->said == LBS_ROSTER_GOOD && i < reply->records->nelts;
         i++) {
        const lbs_dns_record_t *r =
            LBS_DNS_AT(reply->records, i, lbs_dns_record_t);
        char text[LBS_NET_TEXT];
        lbs_net_t net;

        must((type == LBS_DNS_SRV) == (r->target != NULL));
        if (type == LBS_DNS_SRV) {
            must(strcmp(r->target, ".") == 0
                 || lbs_dns_is_name(r->target, strlen(r->target)));
            continue;
        }
        lbs_net_text(&r->net, text);
        must(lbs_net_read(text, strlen(text), &net));
        must(memcmp(&net, &r->net, sizeof(net)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const lbs_dns_type_t types[] = {LBS_DNS_A, LBS_DNS_AAAA,
                                           LBS_DNS_SRV};
    lbs_dns_type_t type = types[size > 0 ? data[0] % 3 : 0];
    apr_pool_t *pool = input_pool();
    input_t in = input_open(data, size);
    lbs_dns_reply_t reply;

    if (size > 0) {
        reply = lbs_dns_read(data + 1, size - 1, type, pool);
        check(&reply, type);
    }
    if (lbs_dns_hosts(in.text, in.name, LBS_DNS_A, pool, &reply)) {
        check(&reply, LBS_DNS_A);
    }
    input_close(&in);
    return 0;
}
