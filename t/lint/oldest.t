#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The sources build with httpd 2.4.49, the oldest that is promised: what came
# later stands behind a check of httpd's module magic number.
use v5.36;
use lib 't/lib';
use Test::More;
use LBS::Source qw(files slurp code none_of);

# Of the public headers, by the minor number that brought it: 2.4.49 has 116.
my %since = (
    ap_pre_connection => 117, ap_unescape_url_ex => 118, ap_post_read_request => 121,
    ap_thread_create => 122, ap_thread_main_create => 122, ap_thread_current => 122,
    ap_pcre_version_string => 123, name_ex => 124, PROXY_WORKER_IS_ERROR => 126,
    ap_proxy_canonenc_ex => 127, ap_get_pollfd_from_conn => 129,
    ap_proxy_determine_address => 130, address_ttl => 130, address_ttl_set => 130,
    address_expiry => 130, ap_set_content_type_ex => 132,
    AP_REQUEST_TRUSTED_CT => 132, ap_proxy_fixup_uds_filename => 133,
    CONN_STATE_ASYNC_WAITIO => 135, CONN_STATE_KEEPALIVE => 135,
    CONN_STATE_PROCESSING => 135, wait_io => 136, AP_MPMQ_CAN_WAITIO => 137,
    is_host_matchable => 138, ap_set_time_process_request => 140, ap_stat_check => 141,
    ap_memeq_timingsafe => 142, ap_streq_timingsafe => 142,
);
my $names = join '|', sort keys %since;

# The minor number that the lines of a file may count on, line by line: one for
# each #if that is open. A header of ours may define the name for an older httpd.
sub findings ($file, $text) {
    my (@open, @found);
    my $line = 0;
    my %ours = map { $_ => 1 } map { -f && slurp($_) =~ /^#define (\w+) \w+$/mg }
        $text =~ /^#include "(src[^"]+)"/mg;
    for (split /\n/, $text) {
        $line++;
        if (/^\s*#\s*if/) {
            my ($not, $minor) = /(!?)AP_MODULE_MAGIC_AT_LEAST\(20120211, (\d+)\)/;
            push @open, {then => $not ? 0 : $minor // 0, else => $not ? $minor : 0};
        }
        elsif (/^\s*#\s*else/) { $open[-1]{then} = $open[-1]{else} }
        elsif (/^\s*#\s*endif/) { pop @open }
        elsif (!/^\s*#\s*define/) {
            my ($has) = sort { $b <=> $a } 116, map { $_->{then} } @open;
            push @found, map { "$file:$line: $_ is not in httpd 2.4.49; put it behind "
                . "AP_MODULE_MAGIC_AT_LEAST(20120211, $since{$_})" }
                grep { $since{$_} > $has && !$ours{$_} } /\b($names)\b/g;
        }
    }
    return @found;
}

my $good = "#if AP_MODULE_MAGIC_AT_LEAST(20120211, 124)\na->name_ex;\n#endif\n";
is_deeply [findings('x', $good)], [], 'a name behind its check';
is scalar(findings('x', $good =~ s/124/123/r)), 1, 'a check that is too old';
is scalar(findings('x', $good =~ s/name_ex.*\K/\n#else\nb->name_ex;/r)), 1,
    'the other branch';
is scalar(findings('x', "a->name_ex;\n")), 1, 'none';

my @files = files(qr{^(?:src/.*|mod_lbsticky)\.[ch]$});
none_of('nothing is newer than httpd 2.4.49', scalar @files,
    map { findings($_, slurp($_) =~ s{/\*.*?\*/}{$& =~ tr/\n//cdr}gsre) } @files);

done_testing;
