# Two programs for two languages of the same name. Made once: resuming keeps what the student did to them.
[ ! -e /srv/report/main.py ] || exit 0
mkdir -p /srv/report /srv/invoice
cat > /srv/report/main.py <<'END'
#!/usr/bin/env python
import time
print "report: 7 apples for 2 people,", 7 / 2, "for each"
while True:
    time.sleep(60)
END
cat > /srv/invoice/main.py <<'END'
#!/usr/bin/env python
import time
print(f"invoice: 7 hours for 2 people, {7 / 2} for each")
while True:
    time.sleep(60)
END
chmod +x /srv/report/main.py /srv/invoice/main.py
rm -f /usr/bin/python
