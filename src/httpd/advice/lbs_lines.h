/* SPDX-License-Identifier: Apache-2.0 */
/* lbs_lines.h - the lines of the configuration that concern balancers.
 *
 * httpd keeps the whole configuration as a tree, with file and line.
 * mod_proxy's balancers and members are what is in force; the tree says where
 * it was written. Here the tree becomes a list of lines, in the order of the
 * files, each with its server and its section.
 */
#ifndef LBS_LINES_H
#define LBS_LINES_H

#include <apr_tables.h>
#include <httpd.h>
#include <http_config.h>

#define LBS_LINE_PATTERN "~" /* as in <Location ~ "^/x"> */

typedef struct lbs_line_t {
    const server_rec *server;
    const char *file;
    int number;
    const char *directive;
    const char *args;     /* as written, without the > of a section */
    const char *location; /* path of the innermost <Location>; NULL: none;
                             LBS_LINE_PATTERN: it has a regular expression */
    const char *pool;     /* of <Proxy "balancer://...">, folded; NULL */
} lbs_line_t;

/**
 * Read the tree.
 *
 * Cost: one walk over the configuration.
 *
 * @return array of lbs_line_t, in the order of the files
 */
apr_array_header_t *lbs_lines_read(apr_pool_t *ptemp, server_rec *main_server);

/** @return 1 when the line is this directive */
int lbs_line_is(const lbs_line_t *line, const char *directive);

/** Is what a line says in force for a server: its own, or the main one's? */
int lbs_line_counts_for(const lbs_line_t *line, const server_rec *s,
                        const server_rec *main_server);

/** Word `n` of a line's arguments, counted from 0. @return NULL: there are
 * fewer */
const char *lbs_line_word(apr_pool_t *ptemp, const lbs_line_t *line, int n);

/** @return "FILE:LINE" */
const char *lbs_line_place(apr_pool_t *ptemp, const lbs_line_t *line);

/** Of ProxyPass and its like: the path it is for. A <Location> may stand in
 * place of it. @return NULL: none is written */
const char *lbs_line_path(apr_pool_t *ptemp, const lbs_line_t *line);

/** Of ProxyPass, ProxyPassMatch, RewriteRule with [P], SetHandler "proxy:...":
 * the target of its requests. @return NULL: the line is none of them */
const char *lbs_line_target(apr_pool_t *ptemp, const lbs_line_t *line);

/** @return 1 when the line's first word is this one, quoted or not */
int lbs_line_says(apr_pool_t *ptemp, const lbs_line_t *line, const char *word);

/** @return 1 when a request decides which pool a target is: it has variables,
 * maps or parts of the URL in the place of the pool's name */
int lbs_line_is_computed(const char *target);

/** @return 1 when the line sends requests to the pool of that name */
int lbs_line_sends(apr_pool_t *ptemp, const lbs_line_t *line,
                   const char *name);

/**
 * Find the first line of a server itself that sends requests to a pool.
 *
 * @param lines  of lbs_lines_read()
 * @param path   only a line for this path; NULL: for any
 * @return NULL when there is none
 */
const lbs_line_t *lbs_lines_sender(apr_pool_t *ptemp,
                                   const apr_array_header_t *lines,
                                   const server_rec *s, const char *name,
                                   const char *path);

#endif
