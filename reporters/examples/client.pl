#!/usr/bin/perl
# Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent, each exactly once.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use Time::HiRes 'time';

my $path  = $ENV{EXPERIMENTS_SOCKET} || ($ENV{EXPERIMENTS_DIR} || '/experiments') . '/agent.sock';
my $json  = JSON::PP->new->utf8->allow_bignum;    # keeps all digits
my $limit = 65_536;                               # of reports that are not kept: then the oldest are left out
my ($agent, $welcomed, $stopping, @unkept);       # unkept: [number, line], in order, of which so many were sent
my ($number, $sent, $next_try, $unsent, %unread) = (0, 0, 0, '');
my $client = do { open my $random, '<:raw', '/dev/urandom' or die $!; read $random, my $bytes, 8; unpack 'H*', $bytes };
binmode STDOUT, ':utf8';
($|, $SIG{PIPE}) = (1, 'IGNORE');

sub connect_to_agent {
    ($next_try, $welcomed, $unsent) = (time + 1, 0, $json->encode({hello => {client => $client, program => $0, pid => $$}}) . "\n");
    $agent = IO::Socket::UNIX->new(Type => SOCK_STREAM);
    $agent->blocking(0);
    undef $agent, return if !$agent->connect(pack_sockaddr_un($path));
    $unread{$agent} = '';
}

sub report {
    my %metrics = %{$_[0]};
    my %fields = map { exists $metrics{$_} ? ($_ => delete $metrics{$_}) : () } qw(epoch step time checkpoint);
    push @unkept, [++$number, $json->encode({report => {number => $number, %fields, metrics => \%metrics}}) . "\n"];
    forget($number - $limit);
}

sub forget {
    my ($last) = @_;
    for (; @unkept && $unkept[0][0] <= $last; shift @unkept) { $sent-- if $sent }
}

sub hear {
    my ($welcome, $kept, $stop, $rejected) = @{$_[0]}{qw(welcome kept stop rejected)};
    my $last = ($welcome ? $welcome->{kept} : $kept && $kept->{number}) // 0;
    forget($last);
    ($welcomed, $sent, $stop) = (1, 0, $welcome->{stop}) if $welcome;
    print 'stop: ', $stop->{reason} // '', "\n" if $stop && !$stopping++;
    warn $json->encode($rejected), "\n" if $rejected;
    my $code = $rejected ? $rejected->{code} : '';
    $agent->shutdown(2) if $code eq 'client-id-taken';    # and try again
    if ($code eq 'version-not-spoken') { 1 while <STDIN>; exit }
}

if ($path eq 'none') { 1 while <STDIN>; exit }    # nothing is to be reported

for (my $input = \*STDIN; $input || @unkept;) {
    connect_to_agent() if !$agent && time >= $next_try && (@unkept || !$next_try);
    $unsent .= $unkept[$sent++][1] while $welcomed && $sent < @unkept && length $unsent < 65_536;
    my $readers = IO::Select->new(grep { $_ } $agent, $input);
    my $writers = IO::Select->new($agent && $unsent ne '' ? $agent : ());
    my $timeout = $agent || !@unkept ? undef : $next_try - time;
    my ($readable, $writable) = IO::Select->select($readers, $writers, undef, $timeout);
    substr $unsent, 0, syswrite($agent, $unsent) // 0, '' for @{$writable // []};
    for my $from (@{$readable // []}) {
        my $is_agent = $agent && $from == $agent;
        my $open = sysread $from, $unread{$from}, 65_536, length($unread{$from} //= '');
        $unread{$from} .= "\n" if !$open;
        while ($unread{$from} =~ s/^(.+)\n+//) { $is_agent ? hear($json->decode($1)) : report($json->decode($1)) }
        if (!$open && $is_agent) { ($agent, $welcomed) = () } elsif (!$open) { undef $input }
    }
}
