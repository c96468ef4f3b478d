"""Worker hosts as the site sees them: who has joined, what is published to them, who may take work, who is silent."""
