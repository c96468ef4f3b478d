first() {
    head -n 1 "/root/$1" 2>/dev/null | tr -d ' \n\r\t'
}
for file in before later after; do
    [ "$(first $file)" ] || { echo "not yet because the first line of /root/$file holds no word of the guest"; exit 1; }
done
before=$(first before)
if [ "$(first later)" = "$before" ]; then
    echo "not yet because the word did not change between saving and going back: nothing would show a return"
elif [ "$(first after)" = "$(first later)" ]; then
    echo "not yet because the guest still has its later word: it has not gone back"
elif [ "$(first after)" != "$before" ]; then
    echo "not yet because the guest has neither of the two words: has it booted again?"
else
    echo "the guest has its first word again: $(echo "$before" | cut -c 1-8)..."
    exit 0
fi
exit 1
