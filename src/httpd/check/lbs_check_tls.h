/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_check_tls.h - mod_ssl's directives: which certificates the checks of
 * https members trust.
 *
 * Visitors' requests go to https members by mod_ssl and its SSLProxy*
 * directives, checks by libcurl. The administrator's directives for the one
 * must count for the other, but no public function of mod_ssl tells them; so
 * the directives are read once more, from the tree of the configuration: of
 * the main server, of the virtual host, of <Proxy *> and of the pool's own
 * <Proxy "balancer://...">, an inner one replacing an outer one.
 *
 * Read are SSLEngine, SSLProxyVerify, SSLProxyCACertificateFile, ...Path,
 * SSLProxyCARevocationFile, SSLProxyMachineCertificateFile (the first
 * certificate in it), SSLProxyCheckPeerName, ...CN, ...Expire, and
 * ProxyPreserveHost. Files are read here, by the parent: the children may not.
 */
#ifndef LBS_CHECK_TLS_H
#define LBS_CHECK_TLS_H

#include <httpd.h>

#include "src/base/lbs_slice.h"

typedef struct lbs_check_tls_t {
    int engine;           /* SSLEngine: visitors reach this server by https */
    int verify;           /* the certificate comes from one of the CAs */
    int check_name;       /* it is for the name that was asked for */
    int check_expiry;     /* it is valid today */
    int keep_host;        /* ProxyPreserveHost: 1, 0; -1: not written */
    lbs_slice_t ca;       /* PEM; empty: none */
    lbs_slice_t proof;    /* PEM, certificate and key of this side; or empty */
    const char *ca_path;  /* directory of hashed certificates; NULL: none */
    const char *crl_file; /* PEM, revoked certificates; NULL: none */
} lbs_check_tls_t;

/**
 * Read the directives in force for a pool.
 *
 * @param s     the server whose requests go to the pool
 * @param name  of the pool, see lbs_config_pool_name()
 * @return allocated from pconf; a file that cannot be read counts as not
 *         there, which mod_ssl does not start with
 */
const lbs_check_tls_t *lbs_check_tls_read(apr_pool_t *pconf,
                                          const server_rec *s,
                                          const char *name);

#endif
