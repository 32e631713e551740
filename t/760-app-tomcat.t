#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tomcat: two of them, by HTTP and by AJP with a secret, with the sessions of
# its own examples and with a jvmRoute.
use lib 't/lib';
use LBS::Test timeout => 300;
use LBS::App;
use LBS::State;
use File::Path qw(make_path);

my $home = '/usr/share/tomcat10';
my $examples = '/usr/share/tomcat10-examples/examples';
needs('tomcat10-common' => -x "$home/bin/catalina.sh", 'tomcat10-examples' => -d $examples,
      java => in_path('java'));

my $h = LBS::Httpd->new(children => 1);
my $root = $h->root;

sub start_tomcat ($name) {
    my ($http, $ajp) = map { LBS::Ports::free() } 1, 2;
    make_path(map { "$root/$name/$_" } qw(temp work webapps/own conf/Catalina/localhost logs));
    $h->write("$name/conf/server.xml", <<"XML");
<Server port="-1"><Service name="Catalina">
<Connector address="127.0.0.1" port="$http" protocol="HTTP/1.1"/>
<Connector address="127.0.0.1" port="$ajp" protocol="AJP/1.3" secret="of-$name"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="$name">
<Host name="localhost" appBase="webapps" autoDeploy="false"/>
</Engine></Service></Server>
XML
    $h->write("$name/conf/web.xml", <<'XML');
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>default</servlet-name>
<servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
<servlet><servlet-name>jsp</servlet-name>
<servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
</web-app>
XML
    $h->write("$name/conf/Catalina/localhost/examples.xml", qq(<Context docBase="$examples"/>\n));
    $h->write("$name/webapps/own/who.jsp", <<"JSP");
<%\@page session="true"%><% Integer n = (Integer) session.getAttribute("n");
session.setAttribute("n", n == null ? 1 : n + 1); %>$name <%= session.getAttribute("n") %>
JSP
    $h->write("$name/webapps/own/stream.jsp", <<"JSP");
<%\@page contentType="text/plain"%><% for (int i = 0; i < 100; i++) {
out.print("$name line " + i + "\\n"); out.flush(); response.flushBuffer(); Thread.sleep(50); } %>
JSP
    my $app = LBS::App->start(name => $name, port => $http, dir => "$root/logs", patience => 90,
        env => {CATALINA_HOME => $home, CATALINA_BASE => "$root/$name",
                JAVA_OPTS => '-Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1'},
        command => ["$home/bin/catalina.sh", 'run']);
    $app->{ajp} = $ajp;
    return $app;
}

my @cats = map { start_tomcat("t$_") } 1, 2;
$_->ready for @cats;
my %of = map { $_->name => $_ } @cats;
my %members = (
    http => join("\n", map { 'BalancerMember "http://127.0.0.1:' . $_->port . '" route=' . $_->name } @cats),
    ajp => join("\n", map { "BalancerMember \"ajp://127.0.0.1:$_->{ajp}\" route=" . $_->name
        . ' flushpackets=on secret=of-' . $_->name } @cats));
my @pools = map { my $scheme = $_; map { [@$_, $scheme] }
    ["cookie$scheme", 'cookie'], ["session$scheme", 'session=JSESSIONID path=jsessionid'],
    ["route$scheme", 'route=JSESSIONID'] } qw(http ajp);
$h->conf(join '', '@STATUS@', "\n", map { <<"CONF" } @pools);
<Proxy "balancer://$_->[0]">
LBSticky $_->[1]
LBStickyCookie first=off
LBStickyMethod round-robin
$members{$_->[2]}
</Proxy>
<Location "/$_->[0]/">
ProxyPass "balancer://$_->[0]/"
ProxyPassReverseCookiePath "/" "/$_->[0]/"
</Location>
CONF
$h->announce(qr/\[proxy(?:_\w+)?:(?:error|warn)\]/);
$h->start;
# The first of each page is compiled.
$h->get('/cookiehttp/own/who.jsp', timeout => 60) for 1 .. 4;

for my $pool (@pools) {
    my ($name, undef, $scheme) = @$pool;
    my %used;
    my $kept = kept_sessions(20, 4, sub ($jar, $round) {
        my $r = $h->get("/$name/own/who.jsp", jar => $jar);
        $used{$1}++ if $r->body =~ /^(t\d)/;
        return $r->body =~ /^t\d $round\s*$/;
    });
    is scalar keys %used, 2, "$name: both are used";
    row(app => "Tomcat ($name)", scheme => $scheme, kept => $kept, of => 20);
    my %id;
    $kept = kept_sessions(10, 4, sub ($jar, $round) {
        my $r = $h->get("/$name/examples/servlets/servlet/SessionExample", jar => $jar);
        my ($id) = $r->body =~ /([0-9A-F]{32}\.t\d)/ or return 0;
        return ($id{$jar} //= $id) eq $id;
    });
    row(app => "Tomcat examples ($name)", scheme => $scheme, kept => $kept, of => 10);
}

# AJP first, which has no way to say that it broke but to end.
for my $scheme (qw(ajp http)) {
    my ($broke, $odd) = killed_stream($h, "/cookie$scheme/own/stream.jsp", qr/t\d line \d+/,
        sub ($line) { $of{(split ' ', $line)[0]}->kill });
    is $broke, 1, "$scheme: the client sees that it broke";
    row(app => 'Tomcat, killed', scheme => $scheme, errors => $broke, corrupted => $odd);
    $scheme eq 'ajp' or next;
    my @after = map { $h->get("/cookie$scheme/own/who.jsp") } 1 .. 6;
    is scalar(grep { $_->status == 200 } @after), 6, 'the other goes on';
    # The stream by HTTP is read from the one that lives.
}
quiet($h);

done_testing;
