# SPDX-License-Identifier: Apache-2.0
"""Visitors: one process in the visitors' namespace, a thread for each.

Asks /whoami without a pause worth the name, each time on a new connection,
and writes a line of JSON for every answer. A request that was lost is asked
once more, as browsers do with GET; what fails then is an error that a person
would see.
"""
import http.client
import http.cookies
import json
import ssl
import sys
import threading
import time

PAUSE = 0.1
CONNECT = 20    # seconds; the system repeats what is not answered meanwhile
ANSWER = 5


# The machines' certificate was made on the spot.
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


def connection_to(address, own, secure):
    if secure:
        return http.client.HTTPSConnection(
            address, 443, timeout=CONNECT, source_address=(own, 0),
            context=TLS)
    return http.client.HTTPConnection(address, 80, timeout=CONNECT,
                                      source_address=(own, 0))


def ask(address, host, own, jar, secure):
    connection = connection_to(address, own, secure)
    cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
    headers = {"Host": host, "Connection": "close"}
    if cookies:
        headers["Cookie"] = cookies
    try:
        connection.connect()
        connection.sock.settimeout(ANSWER)
        connection.request("GET", "/whoami", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    for line in answer.headers.get_all("Set-Cookie", []):
        for name, morsel in http.cookies.SimpleCookie(line).items():
            jar[name] = morsel.value
    if answer.status != 200:
        return {"error": f"HTTP {answer.status}"}
    said = json.loads(body)
    if said["secure"] != secure:
        return {"error": "the site takes http for https, or the reverse"}
    return {"server": said["server"], "visits": said["visits"]}


def visit(address, source, host, own, lock):
    jar = {}
    while True:
        lost = 0
        begun = time.time()
        try:
            result = ask(address, host, own, jar, source == "https")
        except (OSError, http.client.HTTPException, ValueError):
            lost = 1
            try:
                result = ask(address, host, own, jar, source == "https")
            except (OSError, http.client.HTTPException, ValueError) as error:
                result = {"error": type(error).__name__}
        line = json.dumps({"source": source, "who": own, "at": begun, "lost": lost,
                           "took": time.time() - begun, **result})
        with lock:
            print(line, flush=True)
        time.sleep(PAUSE)


def main():
    address = sys.argv[1]
    lock = threading.Lock()
    # Each word: source,host,address of the visitor.
    threads = [threading.Thread(target=visit, args=(address, *word.split(","),
                                                    lock), daemon=True)
               for word in sys.argv[2:]]
    for thread in threads:
        thread.start()
    sys.stdin.read()    # until the parent is gone


if __name__ == "__main__":
    main()
