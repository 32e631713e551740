# SPDX-License-Identifier: Apache-2.0
# LBCtl::Json - a parser of the few kinds of values that lb-status sends.
package LBCtl::Json;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(parse_json);

sub parse_string {
    my ($text) = @_;
    my %plain = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");
    $$text =~ /\G"((?:[^"\\\x00-\x1f]++|\\.)*+)"/gc or die "string\n";
    my $string = $1;
    $string =~ s{\\u[dD]([89abAB][0-9a-fA-F]{2})\\u[dD]([c-fC-F][0-9a-fA-F]{2})}
        {my $c = 0x10000 + ((hex("d$1") - 0xd800) << 10) + hex("d$2") - 0xdc00;
         my $u = chr $c; utf8::encode($u); $u}ge;
    $string =~ s{\\(u([0-9a-fA-F]{4})|.)}
        {if (defined $2) { my $u = chr hex $2; utf8::encode($u); $u }
         else { $plain{$1} // $1 }}gse;
    return $string;
}

sub parse_list {
    my ($text, $close, $one) = @_;
    return if $$text =~ /\G\s*\Q$close\E/gc;
    while (1) {
        $one->();
        return if $$text =~ /\G\s*\Q$close\E/gc;
        $$text =~ /\G\s*,/gc or die "comma\n";
    }
}

sub parse_value {
    my ($text) = @_;
    $$text =~ /\G\s+/gc;
    if ($$text =~ /\G\{/gc) {
        my %object;
        parse_list($text, '}', sub {
            $$text =~ /\G\s+/gc;
            my $key = parse_string($text);
            $$text =~ /\G\s*:/gc or die "colon\n";
            $object{$key} = parse_value($text);
        });
        return \%object;
    }
    if ($$text =~ /\G\[/gc) {
        my @array;
        parse_list($text, ']', sub { push @array, parse_value($text) });
        return \@array;
    }
    return parse_string($text) if $$text =~ /\G(?=")/gc;
    return $1 if $$text =~ /\G(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/gc;
    return $1 eq 'true' ? 1 : 0 if $$text =~ /\G(true|false|null)/gc;
    die "value\n";
}

# A hash; undef for what is no JSON or no object.
sub parse_json {
    my ($text) = @_;
    pos($text) = 0;
    my $value = eval { parse_value(\$text) };
    return ref $value eq 'HASH' ? $value : undef;
}

1;
