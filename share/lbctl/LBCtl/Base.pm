# SPDX-License-Identifier: Apache-2.0
# LBCtl::Base - the options, the exit statuses, and how a command ends early.
package LBCtl::Base;
use strict;
use warnings;
use Exporter qw(import);
use LBCtl::Show qw(clean);

our @EXPORT = qw(%opt $FAILED $WRONG $NO_ANSWER $LATE fail attempt);
our ($FAILED, $WRONG, $NO_ANSWER, $LATE) = (1 .. 4);
our %opt = (url => $ENV{LBCTL_URL} || 'http://localhost/lb-status');

our $undo = '';    # what a failure leaves behind
our $trying = 0;

# End with that status and one line on standard error. More lines may follow
# it: what to write, what another program said.
sub fail {
    my ($status, $text, $more) = @_;
    $text =~ s/\s+\z//;
    $text = clean("$text$undo" =~ s/[\x00-\x1f\x7f]+/ /gr);
    die {status => $status, text => $text} if $trying;
    print STDERR "lbctl: $text\n", $more // '';
    exit $status;
}

# Run the code; the sentence with which it failed, '' when it did not.
sub attempt {
    my ($code) = @_;
    local $trying = 1;
    return '' if eval { $code->(); 1 };
    return ref $@ ? $@->{text} : die $@;
}

1;
