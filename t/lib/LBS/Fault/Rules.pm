# SPDX-License-Identifier: Apache-2.0
# LBS::Fault::Rules - what must have happened when a request broke, from what
# was broken. Nothing here is about one case.
#
#   my @wrong = LBS::Fault::Rules::judge($case, $facts);
#
# facts: ours and stock, both {client => the client's result, seen => {member
# => [records]}}, and of ours failures => {member => n} and inflight. What is
# not said here must be as with mod_proxy_balancer, whose pool has this member
# alone.
package LBS::Fault::Rules;
use v5.36;

use LBS::Fault::Cases;
use LBS::Fault::Client;

use constant KEPT => 65_536;    # bytes of a body that may be sent twice

my @wrong;

sub must ($right, $text) {
    push @wrong, $text if !$right;
    return;
}

sub judge ($case, $facts) {
    @wrong = ();
    my $ours = $facts->{ours};
    @$facts{qw(first second)} = @{$ours->{seen}}{qw(m1 m2)};
    $facts->{all} = [map { @{$ours->{seen}{$_}} } qw(m1 m2)];
    $facts->{complete} = grep { $_->{complete} } @{$facts->{all}};
    always($case, $facts);
    if ($case->{side} eq 'client') { client_broke($case, $facts) }
    elsif ($case->{side} eq 'member') { member_broke($case, $facts) }
    else { well($case, $facts) }
    return @wrong;
}

sub is_repeatable ($case) {
    return $case->{method} ne 'POST' && $case->{size} <= KEPT;
}

# --- in any case -----------------------------------------------------------

sub always ($case, $facts) {
    my $r = $facts->{ours}{client};
    must(!$facts->{inflight}, "in flight: $facts->{inflight}");
    # A silent HTTP/2 client is left alone for as long as KeepAliveTimeout says.
    must(!$r->{hung}, 'the client hangs') if $case->{proto} ne 'h2' || $case->{end} ne 'stall';
    must(!$r->{extra}, "$r->{extra} bytes behind the answer");
    for my $got (grep { $_->{complete} } @{$facts->{all}}) {
        must($got->{body} eq body_sent($case, $facts), 'a member got '
            . length($got->{body}) . ' bytes that the client did not send');
    }
    my $most = is_repeatable($case) ? 3 : 1;
    must($facts->{complete} <= $most, "delivered $facts->{complete} times")
        if $case->{side} ne 'member' || $case->{kind} !~ /^(?:refused|goaway)$/;
    must($facts->{failures}{m2} == 0, 'the second member is blamed');
    return if $r->{status} != 200;
    my ($from) = grep { index(answer($case, $_), $r->{body}) == 0 } qw(m1 m2);
    must($from || ($case->{kind} eq 'garbage'), 'an answer of ' . length($r->{body})
        . ' bytes that no member wrote: ' . substr $r->{body}, -60);
    return if !$r->{whole} || $case->{method} eq 'HEAD' || $case->{kind} eq 'garbage';
    must(ends_early($case) || length $r->{body} == $case->{asize},
        'an answer of ' . length($r->{body}) . " of $case->{asize} bytes ends as if whole");
    return;
}

sub answer ($case, $from) {
    return $case->{method} eq 'HEAD' ? '' : LBS::Fault::Cases::answer_body($from, $case->{asize});
}

# An odd request means what httpd says it means.
sub body_sent ($case, $facts) {
    if ($case->{side} eq 'client' && $case->{kind} =~ /^(?:chunk|head|long)$/) {
        my ($stock) = grep { $_->{complete} } @{$facts->{stock}{seen}{s1}};
        return $stock ? $stock->{body} : '(nothing)';
    }
    return '' if $case->{frame} eq 'none';
    return LBS::Fault::Client::pattern($case->{size});
}

# The client's status and the answer's end are those of the stock balancer, but
# for a mistake of the client's that is called so. It hangs where it waits for a
# 100 that no HTTP/2 member sends.
sub as_stock ($facts) {
    my ($ours, $stock) = map { $facts->{$_}{client} } qw(ours stock);
    return if $ours->{left} || ($ours->{status} =~ /^4/ && $stock->{status} =~ /^[45]/);
    return if $stock->{hung};
    must("$ours->{status} $ours->{whole}" eq "$stock->{status} $stock->{whole}",
        "the client got $ours->{status}" . (' cut', ' whole')[$ours->{whole}]
        . ", with the stock balancer $stock->{status}" . (' cut', ' whole')[$stock->{whole}]);
    return;
}

# --- nothing broke ---------------------------------------------------------

sub well ($case, $facts) {
    my $r = $facts->{ours}{client};
    must($r->{status} == 200 && $r->{whole}, "status $r->{status}, whole $r->{whole}");
    must(@{$facts->{all}} == 1 && $facts->{complete} == 1,
        scalar(@{$facts->{all}}) . ' attempts');
    must($facts->{failures}{m1} == 0, 'the member is blamed');
    return;
}

# --- the client broke ------------------------------------------------------

# Whether its request was over before it broke.
sub was_sent ($case) {
    return $case->{kind} =~ /^(?:gone|leave|expect)$/;
}

sub client_broke ($case, $facts) {
    my $kind = $case->{kind};
    must($facts->{failures}{m1} == 0, "the member is blamed $facts->{failures}{m1} times");
    must(@{$facts->{all}} <= 1 || scalar(grep { $_->{kept} } @{$facts->{all}}),
        scalar(@{$facts->{all}}) . ' attempts');
    my $odd = $kind =~ /^(?:head|long|over)$/
        || ($kind eq 'chunk' && $LBS::Fault::Client::ODD_CHUNK{$case->{at}})
        || ($kind eq 'cut' && $case->{frame} eq 'te' && lacks_line_end($case));
    if ($odd) {
        my $stock = grep { $_->{complete} } @{$facts->{stock}{seen}{s1}};
        my $right = $facts->{stock}{client}{status} == 200
            ? $facts->{complete} == $stock : $facts->{complete} <= $stock;
        must($right,
            "delivered whole $facts->{complete} times, with the stock balancer $stock");
    }
    elsif (!was_sent($case)) {
        must($facts->{complete} == 0, 'a member got it as if it were whole');
    }
    return as_stock($facts);
}

# All but the line ends behind the last chunk.
sub lacks_line_end ($case) {
    my ($head, $body) = LBS::Fault::Client::lengths($case, '/l00/000000/x');
    return $case->{proto} eq 'h2' ? 0 : $case->{at} >= $head + $body - 2;
}

# --- the member broke ------------------------------------------------------

# How far its answer came: lost, head, body, tail (all but the last marks).
sub stage ($case) {
    return 'lost' if $case->{kind} =~ /^(?:accept|read|stale|late)$/;
    return 'lost' if $case->{at} == 0;
    my ($wire, $head) = LBS::Fault::Cases::answer_of($case);
    return 'head' if $case->{at} < $head;
    my $marks = $case->{scheme} eq 'fcgi' ? 24 : $case->{scheme} eq 'ajp' ? 6
        : $case->{form} eq 'te' ? 5 : 0;
    return $case->{at} >= length($wire) - $marks ? 'tail' : 'body';
}

# Where the connection's end is the answer's, nobody can tell.
sub ends_early ($case) {
    return 0 if $case->{side} ne 'member' || $case->{kind} ne 'cut' || $case->{end} ne 'fin';
    return 0 if $case->{form} ne 'eof';
    return $case->{scheme} =~ /^(?:https?|scgi|uwsgi)$/;
}

sub member_broke ($case, $facts) {
    my $kind = $case->{kind};
    return garbage($case, $facts) if $kind eq 'garbage';
    return early($case, $facts) if $kind eq 'early';
    return interim($case, $facts) if $kind eq 'interim';
    return refused($case, $facts) if $kind =~ /^(?:refused|goaway)$/;
    # It was to break on a kept connection, and got another.
    return well($case, $facts) if $kind eq 'stale' && !grep { $_->{kept} } @{$facts->{first}};
    my $stage = stage($case);
    return quiet($case, $facts, $stage) if $case->{end} eq 'stall';
    return lost($case, $facts, $stage) if $stage eq 'lost' || $stage eq 'head';
    return broken_off($case, $facts, $stage);
}

sub blamed ($facts, $least, $most = $least) {
    my $n = $facts->{failures}{m1};
    must($n >= $least && $n <= $most, "failures $n, not "
        . ($least == $most ? $least : "$least to $most"));
    return;
}

sub is_refusal ($r) { return $r->{status} >= 500 }

# Lost before an answer: again, elsewhere, if that may be.
sub lost ($case, $facts, $stage) {
    my $r = $facts->{ours}{client};
    my $kept = $facts->{first}[0]{kept};
    my $stale = $case->{kind} eq 'stale';
    # Of this no member has read a byte: it may be sent elsewhere by any method,
    # where httpd sees in time that the connection is closed. A member in doubt
    # is also asked by the module itself.
    my $unopened = $case->{kind} eq 'accept';
    if (is_repeatable($case) && $stage eq 'lost' && $case->{kind} ne 'late') {
        must($r->{status} == 200 && $r->{whole}, "status $r->{status}, not repeated");
    }
    else {
        must(is_refusal($r) || ($r->{status} == 200 && $r->{whole}
            && ($case->{method} ne 'POST' || $stale || $unopened || $kept)),
            "status $r->{status}");
    }
    must(@{$facts->{all}} == 1, 'a POST is repeated')
        if $case->{method} eq 'POST' && !$unopened && !$kept;
    return blamed($facts, 0) if $stale;
    return blamed($facts, $kept || $unopened ? 0 : 1, 1);
}

# Its answer began, and is not whole: the client sees that.
sub broken_off ($case, $facts, $stage) {
    my $r = $facts->{ours}{client};
    if (ends_early($case)) {
        must($r->{status} == 200 && $r->{whole}, "status $r->{status}");
        return blamed($facts, 0);
    }
    return blamed($facts, 0, 1) if $stage eq 'tail';
    # As long as the client has seen nothing of it, nothing is lost.
    if ($r->{status} == 200 && $r->{whole} && is_repeatable($case) && @{$facts->{second}}) {
        return blamed($facts, 1);
    }
    must(@{$facts->{all}} == 1, 'it is repeated after its answer began');
    must(is_refusal($r) || ($r->{status} == 200 && !$r->{whole}), "status $r->{status}, "
        . ($r->{whole} ? 'as if whole' : 'cut')) if $case->{method} ne 'HEAD';
    return blamed($facts, 1);
}

# It says nothing for as long as is waited.
sub quiet ($case, $facts, $stage) {
    my $r = $facts->{ours}{client};
    must(@{$facts->{all}} == 1 || $facts->{first}[0]{kept}, 'it is repeated');
    if ($stage eq 'lost' || $stage eq 'head') {
        must(is_refusal($r), "status $r->{status}");
        # Half a head is an answer that began, or none.
        return blamed($facts, $stage eq 'lost' ? 1 : 0, 1);
    }
    return if $stage eq 'tail' || $case->{method} eq 'HEAD';
    must(is_refusal($r) || !$r->{whole}, "status $r->{status}, as if whole");
    # Only the scheme module knows that an answer which it holds back has begun.
    return blamed($facts, 0, is_refusal($r) ? 1 : 0);
}

# Says something that is no answer, or only just.
sub garbage ($case, $facts) {
    my $r = $facts->{ours}{client};
    my $stock = $facts->{stock}{client};
    blamed($facts, 0, 1);
    blamed($facts, 0) if $case->{at} =~ /^(?:longline|manyfields)$/;
    if ($stock->{status} < 500 && $stock->{whole}) {
        blamed($facts, 0);
        return as_stock($facts);
    }
    must(is_refusal($r) || !$r->{whole}
        || ($r->{status} == 200 && is_repeatable($case) && @{$facts->{second}} > 0),
        "status $r->{status}, with the stock balancer $stock->{status}");
    return;
}

sub early ($case, $facts) {
    my $r = $facts->{ours}{client};
    must($r->{status} == $case->{at} && $r->{whole}, "status $r->{status}, whole $r->{whole}");
    must(!@{$facts->{second}}, 'another one is asked');
    return blamed($facts, 0);
}

sub interim ($case, $facts) {
    my $r = $facts->{ours}{client};
    must("@{$r->{early}}" eq "@{$facts->{stock}{client}{early}}", "interim @{$r->{early}}, with "
        . "the stock balancer @{$facts->{stock}{client}{early}}");
    return well($case, $facts);
}

# It said that it did not begin: anything may go elsewhere, and it has not failed.
sub refused ($case, $facts) {
    my $r = $facts->{ours}{client};
    must($r->{status} == 200 && $r->{whole}
        || ($case->{size} > KEPT && is_refusal($r)), "status $r->{status}");
    return blamed($facts, 0);
}

1;
