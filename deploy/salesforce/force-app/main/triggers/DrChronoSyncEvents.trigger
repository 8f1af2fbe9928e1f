/** Hands what the bus delivers to a job that carries it to the service; runs as the integration user. */
trigger DrChronoSyncEvents on DrChrono_Sync__e(after insert) {
    DrChronoSender.send(Trigger.new, EventBus.TriggerContext.currentContext().retries);
}
