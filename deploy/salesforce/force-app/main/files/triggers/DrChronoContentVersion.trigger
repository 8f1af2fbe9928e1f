/** Title, tags and ticks are a version's own. */
trigger DrChronoContentVersion on ContentVersion(after insert, after update) {
    DrChronoDocuments.versioned(Trigger.new, Trigger.oldMap);
}
