"""From the table of measures to statistics: what each measure tells about the gap."""
