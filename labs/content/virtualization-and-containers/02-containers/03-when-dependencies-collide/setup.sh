# Two programs for two languages of the same name.
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
