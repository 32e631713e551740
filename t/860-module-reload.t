# SPDX-License-Identifier: Apache-2.0
# Reloads that change the module itself: another version of it, no pool that
# it governs, not loaded at all; and back again. Sessions stay.
use lib 't/lib';
use LBS::Test;
use LBS::Governed;
use Cwd qw(getcwd);

my @web = LBS::Backend->many(3);
my %pool = (app => 'LBSticky query=sid');
my $conf = governed_text(\@web, %pool);
(my $stock = $conf) =~ s/^\s*LBSticky.*\n//mg;
my @sids = map { "visitor$_" } 1 .. 30;

sub places ($h) {
    return {map { $_ => $h->get("/app/x?sid=$_")->member } @sids};
}

sub kept ($h, $before, $what) {
    my $after = places($h);
    is scalar(grep { $before->{$_} ne $after->{$_} } @sids), 0, $what;
    return;
}

each_mpm {
    my ($mpm) = @_;
    my $module = $ENV{LBS_MODULE} // getcwd . '/build/mod_lbsticky.so';
    local $ENV{LBS_MODULE} = $module;
    my $h = governed(\@web, mpm => $mpm, %pool);
    my $before = places($h);

    $h->graceful($stock);
    is $h->get('/app/x')->status, 200, 'nothing governed: stock httpd';
    is $h->get('/app/x')->header('X-Decision'), '(null)|(null)|(null)|(null)|(null)',
        'decides';
    $h->graceful($conf);
    kept($h, $before, 'governed again: sessions are where they were');

    # The same module, as if it were of another version: its blocks of shared
    # memory have another name.
    open my $in, '<:raw', $module or die "$module: $!";
    my $bytes = do { local $/; <$in> };
    is $bytes =~ s/mod_lbsticky (\d)\.\d\0/mod_lbsticky $1.x\0/, 1,
        'another version';
    $ENV{LBS_MODULE} = $h->write('newer.so', $bytes, 0755);
    $h->graceful($conf);
    kept($h, $before, 'takes over what the older one had');
    is $h->json->{pools}[0]{members}[0]{inflight}, 0, 'and counts anew';

    # Another build of the same version: by the name of its blocks, and with
    # blocks that cannot be used under the same name.
    for (['lbs layout \d', 'lbs layout x', 'another layout', qr/^$/],
         ['LBSREGI\0', "LBSREGX\0", 'blocks that do not fit', qr/LBS1900/]) {
        my ($was, $is, $what, $said) = @$_;
        my $told = () = $h->error_log($said);
        $before = places($h);
        $h->announce($said);
        my $other = $bytes;
        cmp_ok $other =~ s/$was/$is/g, '>', 0, $what;
        $ENV{LBS_MODULE} = $h->write('build-' . ($what =~ s/ /-/gr) . '.so', $other, 0755);
        $h->conf($conf);
        is +($h->configtest)[0], 0, "$what: -t says nothing against it";
        $h->graceful($conf);
        kept($h, $before, "$what: sessions are where they were");
        is $h->json->{generation}, 1, 'in new blocks';
        cmp_ok scalar($h->error_log($said)), '>', $told, 'and the log says so'
            if $said ne qr/^$/;
        $bytes = $other;
    }
    push @{$h->{without}}, 'lbsticky';
    $h->graceful($stock);
    is $h->get('/app/x')->status, 200, 'not loaded: stock httpd';
    pop @{$h->{without}};
    $h->graceful($conf);
    kept($h, $before, 'loaded again: sessions are where they were');
    $h->stop;
    $h->no_unexpected_log;
};

done_testing;
